/* Ten times one thread waits 25 ms for a mutex that the other has. */
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

static pthread_mutex_t hot = PTHREAD_MUTEX_INITIALIZER;
static sem_t taken, done;

__attribute__((noipa)) void take_hot(void)
{
	pthread_mutex_lock(&hot);
	pthread_mutex_unlock(&hot);
}

static void *waiter(void *arg)
{
	for (int i = 0; i < 10; i++) {
		sem_wait(&taken);
		take_hot();
		sem_post(&done);
	}
	return arg;
}

int main(void)
{
	pthread_t t;
	sem_init(&taken, 0, 0);
	sem_init(&done, 0, 0);
	pthread_create(&t, NULL, waiter, NULL);
	for (int i = 0; i < 10; i++) {
		pthread_mutex_lock(&hot);
		sem_post(&taken);
		usleep(25000);
		pthread_mutex_unlock(&hot);
		sem_wait(&done);
	}
	return pthread_join(t, NULL);
}
