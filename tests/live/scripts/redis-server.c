/* Has the functions and variables of redis-server that the scripts of tools/ name, and does what the test expects them to tell. */
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#define PLAIN __attribute__((noipa))

struct redisCommand {
	const char *fullname;
};
typedef struct {
	int type;
	void *ptr;
} robj;
typedef struct {
	void *dict;
	int id;
} redisDb;
typedef struct client {
	uint64_t id;
	redisDb *db;
	int argc;
	robj **argv;
	struct redisCommand *cmd;
} client;

PLAIN robj *lookupKey(redisDb *db, robj *key, int flags)
{
	return ((char *)key->ptr)[0] == 'a' ? NULL : key;
}

PLAIN int dbGenericDelete(redisDb *db, robj *key, int async)
{
	return ((char *)key->ptr)[0] != 'a';
}

PLAIN void deleteExpiredKeyAndPropagate(redisDb *db, robj *key)
{
	dbGenericDelete(db, key, 0);
}

PLAIN void performEvictions(redisDb *db, robj *key)
{
	dbGenericDelete(db, key, 0);
}

PLAIN void call(client *c, int flags)
{
	char what = c->cmd->fullname[0];
	if (what == 'd')
		dbGenericDelete(c->db, c->argv[1], 0);
	else if (what == 's')
		usleep(30000);
	else if (what == 'e') { /* EXEC: one more within, put in its own place */
		struct redisCommand *own = c->cmd, inner = {"get"};
		c->cmd = &inner;
		call(c, 0);
		c->cmd = own;
	} else
		lookupKey(c->db, c->argv[1], what == 'i' ? 8 : 0);
}

PLAIN void afterSleep(void *loop) { __asm__ volatile(""); }
PLAIN void beforeSleep(void *loop) { __asm__ volatile(""); }
PLAIN void activeExpireCycle(int type) { usleep(type); }
PLAIN void flushAppendOnlyFile(int force) { __asm__ volatile(""); }
PLAIN int redisFork(int purpose) { return purpose; }
PLAIN void clientsCron(void) { __asm__ volatile(""); }

static void run(const char *name, const char *key)
{
	redisDb db = {0, 3};
	struct redisCommand cmd = {name};
	robj command = {0, (void *)name}, k = {0, (void *)key}, *argv[] = {&command, &k};
	client c = {42, &db, 2, argv, &cmd};
	call(&c, 0);
}

static void turn(int commands, const char *name, const char *key)
{
	afterSleep(NULL);
	for (int i = 0; i < commands; i++)
		run(name, key);
	beforeSleep(NULL);
}

int main(void)
{
	redisDb db = {0, 3};
	robj old = {0, "old"}, big = {0, "big"};
	turn(7, "get", "hot");
	turn(3, "incr", "counter");
	turn(2, "get", "absent");
	turn(1, "slow", "heavy");
	turn(1, "exec", "hot");
	turn(1, "del", "gone");
	turn(1, "del", "absent");
	deleteExpiredKeyAndPropagate(&db, &old);
	performEvictions(&db, &big);
	afterSleep(NULL);
	activeExpireCycle(20000);
	flushAppendOnlyFile(0);
	redisFork(0);
	clientsCron();
	beforeSleep(NULL);
	return 0;
}
