/* Has the functions and variables of postgres that the scripts of tools/ name, and does what the test expects them to tell. */
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define PLAIN __attribute__((noipa))

typedef struct {
	int type;
	double startup_cost, total_cost, plan_rows;
} Plan;
typedef struct {
	int type;
	Plan *planTree;
} PlannedStmt;
typedef struct {
	int type;
	uint64_t es_processed;
} EState;
typedef struct {
	int operation;
	PlannedStmt *plannedstmt;
	const char *sourceText;
	EState *estate;
} QueryDesc;
typedef struct {
	char data[64];
} NameData;
typedef struct {
	uint32_t oid;
	NameData relname;
} *Form_pg_class;
typedef struct {
	uint64_t node;
	Form_pg_class rd_rel;
} *Relation;
typedef struct {
	uint32_t locktag_field1, locktag_field2, locktag_field3;
	uint16_t locktag_field4;
	uint8_t locktag_type, locktag_lockmethodid;
} LOCKTAG;
typedef struct {
	struct {
		LOCKTAG lock;
		int mode;
	} tag;
} LOCALLOCK;
typedef struct {
	void *files;
	int nbytes;
} BufFile;
typedef struct {
	uint32_t xl_tot_len, xl_xid;
	uint64_t xl_prev;
	uint8_t xl_info, xl_rmid;
} XLogRecord;
typedef struct {
	void *next;
	char *data;
} XLogRecData;
struct Port {
	char *database_name, *user_name;
};

const char *debug_query_string;
static struct Port port = {"shopdb", "clerk"};
struct Port *MyProcPort = &port;
struct {
	const char *rm_name;
} RmgrTable[] = {{"XLOG"}, {"Heap"}};

PLAIN void standard_ExecutorStart(QueryDesc *queryDesc, int eflags) { __asm__ volatile(""); }
PLAIN void standard_ExecutorEnd(QueryDesc *queryDesc) { __asm__ volatile(""); }
PLAIN void smgrread(void *reln, int forknum, uint32_t blocknum, char *buffer) { usleep(100); }
PLAIN int ReadBufferExtended(Relation reln, int forkNum, uint32_t blockNum, int mode, void *strategy)
{
	if (blockNum % 2)
		smgrread(NULL, forkNum, blockNum, NULL);
	return 1;
}
PLAIN int ProcSleep(LOCALLOCK *locallock, void *lockMethodTable) { return usleep(20000); }
PLAIN void inittapes(void *state, bool mergeruns) { __asm__ volatile(""); }
PLAIN void ExecHashIncreaseNumBatches(void *hashtable) { __asm__ volatile(""); }
PLAIN void ExecParallelHashIncreaseNumBatches(void *hashtable) { __asm__ volatile(""); }
PLAIN void hash_agg_enter_spill_mode(void *aggstate) { __asm__ volatile(""); }
PLAIN void BufFileDumpBuffer(BufFile *file) { __asm__ volatile(""); }
PLAIN uint64_t XLogInsertRecord(XLogRecData *rdata, uint64_t fpw_lsn, uint8_t flags, int num_fpi, bool topxid_included) { return fpw_lsn; }

static void query(const char *text, double expected, uint64_t rows, unsigned us)
{
	Plan plan = {0, 0, 0, expected};
	PlannedStmt stmt = {0, &plan};
	EState state = {0, rows};
	QueryDesc q = {1, &stmt, text, &state};
	standard_ExecutorStart(&q, 0);
	usleep(us);
	standard_ExecutorEnd(&q);
}

int main(void)
{
	debug_query_string = strdup("update shop set price = 1"); /* in memory that has been touched, as a query that was parsed */
	query("select quick", 10, 12, 0);
	query("select slow", 10, 1000, 20000);
	struct Port *keep = MyProcPort;
	__asm__ volatile("" : "+r"(keep));
	struct {
		uint32_t oid;
		NameData relname;
	} class = {1, {"shop"}};
	struct {
		uint64_t node;
		Form_pg_class rd_rel;
	} rel = {1, (Form_pg_class)&class};
	for (uint32_t i = 0; i < 9; i++)
		ReadBufferExtended((Relation)&rel, 0, i, 0, NULL);
	LOCALLOCK lock = {{{5, 16384, 0, 0, 0, 1}, 8}};
	ProcSleep(&lock, NULL);
	BufFile file = {NULL, 8192};
	inittapes(NULL, true);
	ExecHashIncreaseNumBatches(NULL);
	hash_agg_enter_spill_mode(NULL);
	for (int i = 0; i < 10; i++)
		BufFileDumpBuffer(&file);
	XLogRecord record = {1024, 0, 0, 0, 1};
	XLogRecData data = {NULL, (char *)&record};
	for (int i = 0; i < 8; i++)
		XLogInsertRecord(&data, 0, 0, i == 0, false);
	ExecParallelHashIncreaseNumBatches(keep);
	return 0;
}
