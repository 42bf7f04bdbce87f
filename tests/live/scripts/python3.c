/* Has the functions and variables of python3 that the scripts of tools/ name, and does what the test expects them to tell. */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLAIN __attribute__((noipa))

typedef struct {
	long refcnt;
	void *type;
} PyObject;
typedef struct {
	PyObject base;
	long length, hash;
	struct {
		unsigned interned : 2, kind : 3, compact : 1, ascii : 1;
	} state;
	void *wstr;
} PyASCIIObject;
typedef struct {
	PyObject base;
	const char *tp_name;
} PyTypeObject;
typedef struct {
	PyObject base;
	PyObject *co_filename, *co_qualname;
	int co_firstlineno;
} PyCodeObject;
typedef struct _PyInterpreterFrame {
	PyCodeObject *f_code;
	struct _PyInterpreterFrame *previous;
} _PyInterpreterFrame;
typedef struct {
	_PyInterpreterFrame *current_frame;
} _PyCFrame;
typedef struct _ts {
	_PyCFrame *cframe;
} PyThreadState;
struct {
	struct {
		struct {
			struct {
				uintptr_t _value;
			} last_holder;
		} gil;
	} ceval;
} _PyRuntime;

PLAIN void _PyErr_SetObject(PyThreadState *tstate, PyObject *exception, PyObject *value) { __asm__ volatile(""); }
PLAIN void take_gil(PyThreadState *tstate) { usleep(20000); }
PLAIN PyThreadState *PyEval_SaveThread(void) { return NULL; }
PLAIN void PyEval_RestoreThread(PyThreadState *tstate) { __asm__ volatile(""); }

static PyObject *str(const char *text)
{
	PyASCIIObject *s = calloc(1, sizeof(*s) + strlen(text) + 1);
	s->state.ascii = 1;
	strcpy((char *)(s + 1), text);
	return &s->base;
}

int main(void)
{
	PyCodeObject outer = {.co_filename = str("/srv/app.py"), .co_qualname = str("main"), .co_firstlineno = 1},
		     inner = {.co_filename = str("/srv/app.py"), .co_qualname = str("Shop.buy"), .co_firstlineno = 40};
	_PyInterpreterFrame below = {&outer, NULL}, frame = {&inner, &below};
	_PyCFrame c = {&frame}, none = {NULL};
	PyThreadState state = {&c}, bare = {&none};
	PyTypeObject error = {.tp_name = "SoldOut"};
	for (int i = 0; i < 5; i++)
		_PyErr_SetObject(&state, &error.base, NULL);
	_PyErr_SetObject(&bare, &error.base, NULL);
	_PyRuntime.ceval.gil.last_holder._value = (uintptr_t)&state;
	for (int i = 0; i < 2; i++)
		take_gil(&bare);
	for (int i = 0; i < 3; i++) {
		PyEval_SaveThread();
		usleep(30000);
		PyEval_RestoreThread(&state);
	}
	PyEval_SaveThread();
	PyEval_RestoreThread(&state);
	return 0;
}
