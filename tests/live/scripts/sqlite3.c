/* Has the functions and variables of libsqlite3 that the scripts of tools/ name (the library), and a program that uses them. */
#include <stdint.h>
#include <stddef.h>
#include <unistd.h>

#define PLAIN __attribute__((noipa))

typedef struct {
	const char *zFilename;
} Pager;
typedef struct {
	Pager *pPager;
} BtShared;
typedef struct {
	BtShared *pBt;
	uint8_t inTrans;
} Btree;
typedef struct {
	char *zDbSName;
	Btree *pBt;
} Db;
typedef struct {
	void *pVfs;
	Db *aDb;
} sqlite3;
typedef struct {
	sqlite3 *db;
	char *zSql;
	uint32_t aCounter[9];
} Vdbe;

PLAIN int sqliteDefaultBusyCallback(void *ptr, int count);
PLAIN int sqlite3VdbeExec(Vdbe *p);
PLAIN int sqlite3VdbeReset(Vdbe *p);
PLAIN void sqlite3VdbeDelete(Vdbe *p);
PLAIN int sqlite3VdbeHalt(Vdbe *p);

#ifdef LIBRARY
PLAIN int sqliteDefaultBusyCallback(void *ptr, int count) { return count < 2; }
PLAIN static int unixWrite(void *id, const void *pBuf, int amt, int64_t offset) { return amt == 0; }
PLAIN static int unixSync(void *id, int flags) { return usleep(15000); }
PLAIN int sqlite3BtreeCommitPhaseTwo(Btree *p, int bCleanup) { return p->inTrans; }
PLAIN int sqlite3VdbeReset(Vdbe *p) { return p->aCounter[4] == 0; }
PLAIN void sqlite3VdbeDelete(Vdbe *p) { __asm__ volatile(""); }

PLAIN int sqlite3VdbeHalt(Vdbe *p)
{
	if (p->zSql[0] == 'i') {
		unixWrite(p, p, 4096, 0);
		unixSync(p, 0);
		sqlite3BtreeCommitPhaseTwo(p->db->aDb[0].pBt, 0);
	}
	return 0;
}

PLAIN int sqlite3VdbeExec(Vdbe *p)
{
	static int rows;
	if (p->zSql[0] == 'b') /* busy, in the end */
		for (int i = 0; i < 3; i++) {
			usleep(10000);
			if (!sqliteDefaultBusyCallback(p->db, i))
				return 5;
		}
	usleep(4000);
	p->aCounter[1] += 100;
	p->aCounter[4] += 1000;
	if (++rows % 4)
		return 100;
	sqlite3VdbeHalt(p);
	return 101;
}
#else
static void run(sqlite3 *db, char *sql, int times)
{
	Vdbe p = {db, sql, {0}};
	for (int i = 0; i < times; i++) {
		int rc;
		p.aCounter[6]++;
		while ((rc = sqlite3VdbeExec(&p)) == 100)
			;
		sqlite3VdbeReset(&p);
	}
	sqlite3VdbeDelete(&p);
}

int main(void)
{
	Pager pager = {"/srv/shop.db"};
	BtShared shared = {&pager};
	Btree tree = {&shared, 2};
	Db dbs[] = {{"main", &tree}};
	sqlite3 db = {NULL, dbs};
	run(&db, "select * from shop", 2);
	run(&db, "insert into shop", 3);
	run(&db, "busy select", 1);
	return 0;
}
#endif
