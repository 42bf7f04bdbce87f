/* Has the functions and variables of nginx that the scripts of tools/ name, and does what the test expects them to tell. */
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PLAIN __attribute__((noipa))

typedef struct {
	size_t len;
	unsigned char *data;
} ngx_str_t;
typedef struct {
	time_t sec;
	uintptr_t msec;
} ngx_time_t;
typedef struct {
	uintptr_t status, response_time;
	ngx_str_t *peer;
} ngx_http_upstream_state_t;
typedef struct {
	ngx_http_upstream_state_t *state;
} ngx_http_upstream_t;
typedef struct {
	ngx_str_t key, value;
} ngx_table_elt_t;
typedef struct {
	long sent;
	ngx_str_t addr_text;
} ngx_connection_t;
typedef struct {
	ngx_connection_t *connection;
	ngx_http_upstream_t *upstream;
	struct {
		ngx_table_elt_t *referer;
	} headers_in;
	struct {
		uintptr_t status;
	} headers_out;
	time_t start_sec;
	uintptr_t start_msec;
	ngx_str_t request_line, uri;
} ngx_http_request_t;

static ngx_time_t now = {1000, 250};
volatile ngx_time_t *ngx_cached_time = &now;

PLAIN void ngx_http_upstream_connect(ngx_http_request_t *r, ngx_http_upstream_t *u) { __asm__ volatile(""); }
PLAIN void ngx_http_upstream_next(ngx_http_request_t *r, ngx_http_upstream_t *u, uintptr_t ft_type) { __asm__ volatile(""); }
PLAIN void ngx_http_upstream_finalize_request(ngx_http_request_t *r, ngx_http_upstream_t *u, intptr_t rc) { __asm__ volatile(""); }
PLAIN void ngx_http_log_request(ngx_http_request_t *r) { __asm__ volatile(""); }

static ngx_str_t str(const char *s) { return (ngx_str_t){strlen(s), (unsigned char *)s}; }

static void request(const char *uri, const char *line, uintptr_t status, ngx_http_upstream_t *u, time_t sec, uintptr_t msec)
{
	ngx_table_elt_t referer = {str("Referer"), str("http://shop/page!")};
	ngx_connection_t c = {777, str("10.1.2.3#")};
	c.addr_text.len--; /* text does not end with a NUL there */
	referer.value.len--;
	ngx_http_request_t r = {&c, u, {&referer}, {status}, sec, msec, str(line), str(uri)};
	ngx_http_log_request(&r);
}

int main(void)
{
	ngx_str_t dead = str("10.0.0.1:80"), good = str("10.0.0.2:80");
	ngx_http_upstream_state_t state = {502, 0, &dead};
	ngx_http_upstream_t u = {&state};
	ngx_http_upstream_connect(NULL, &u);
	ngx_http_upstream_next(NULL, &u, 2);
	state.peer = &good;
	ngx_http_upstream_connect(NULL, &u);
	usleep(20000);
	ngx_http_upstream_finalize_request(NULL, &u, 0);
	state.response_time = 1240;
	request("/slow", "GET /slow?x=1 HTTP/1.1", 200, &u, 999, 0);
	for (int i = 0; i < 3; i++)
		request("/missing", "GET /missing HTTP/1.1", 404, NULL, 1000, 249);
	return 0;
}
