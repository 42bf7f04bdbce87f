/* decode_file.c - numbers of calls on files, memory and descriptors by their names. */
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/mempolicy.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/quota.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lang/stp/syscalls.h"

static const struct stp_code open_flags[] = {
	M(O_ACCMODE, "O_RDONLY", 0), M(O_ACCMODE, "O_WRONLY", 1), M(O_ACCMODE, "O_RDWR", 2),
	F(O_CREAT), F(O_EXCL), F(O_NOCTTY), F(O_TRUNC), F(O_APPEND), F(O_NONBLOCK), F(O_SYNC), F(O_DSYNC), F(O_ASYNC), F(O_DIRECT),
	B("O_LARGEFILE", 0100000), F(O_TMPFILE), F(O_DIRECTORY), F(O_NOFOLLOW), F(O_NOATIME), F(O_CLOEXEC), F(O_PATH),
};
/* without the access mode */
static const struct stp_code open_bits[] = {F(O_TRUNC), F(O_NONBLOCK), F(O_CLOEXEC), F(O_DIRECT)};
static const struct stp_code access_mode[] = {C(F_OK), F(R_OK), F(W_OK), F(X_OK)};
static const struct stp_code at_flags[] = {
	F(AT_SYMLINK_NOFOLLOW), F(AT_REMOVEDIR), F(AT_SYMLINK_FOLLOW), F(AT_NO_AUTOMOUNT), F(AT_EMPTY_PATH),
	B("AT_STATX_FORCE_SYNC", 0x2000), B("AT_STATX_DONT_SYNC", 0x4000), B("AT_RECURSIVE", 0x8000),
};
static const struct stp_code faccessat2_flags[] = {F(AT_SYMLINK_NOFOLLOW), F(AT_EACCESS), F(AT_EMPTY_PATH)};
static const struct stp_code mknod_mode[] = {
	M(S_IFMT, "S_IFREG", S_IFREG), M(S_IFMT, "S_IFCHR", S_IFCHR), M(S_IFMT, "S_IFBLK", S_IFBLK), M(S_IFMT, "S_IFIFO", S_IFIFO),
	M(S_IFMT, "S_IFSOCK", S_IFSOCK),
};
static const struct stp_code mount_flags[] = {
	F(MS_RDONLY), F(MS_NOSUID), F(MS_NODEV), F(MS_NOEXEC), F(MS_SYNCHRONOUS), F(MS_REMOUNT), F(MS_MANDLOCK), F(MS_DIRSYNC),
	B("MS_NOSYMFOLLOW", 256), F(MS_NOATIME), F(MS_NODIRATIME), F(MS_BIND), F(MS_MOVE), F(MS_REC), F(MS_SILENT), F(MS_POSIXACL),
	F(MS_UNBINDABLE), F(MS_PRIVATE), F(MS_SLAVE), F(MS_SHARED), F(MS_RELATIME), F(MS_KERNMOUNT), F(MS_I_VERSION), F(MS_STRICTATIME),
	F(MS_LAZYTIME),
};
static const struct stp_code umount_flags[] = {B("MNT_FORCE", 1), B("MNT_DETACH", 2), B("MNT_EXPIRE", 4), B("UMOUNT_NOFOLLOW", 8)};
static const struct stp_code rename_flags[] = {B("RENAME_NOREPLACE", 1), B("RENAME_EXCHANGE", 2), B("RENAME_WHITEOUT", 4)};
static const struct stp_code statx_mask[] = {
	M(0x7ff, "STATX_BASIC_STATS", 0x7ff), B("STATX_TYPE", 1), B("STATX_MODE", 2), B("STATX_NLINK", 4), B("STATX_UID", 8), B("STATX_GID", 0x10),
	B("STATX_ATIME", 0x20), B("STATX_MTIME", 0x40), B("STATX_CTIME", 0x80), B("STATX_INO", 0x100), B("STATX_SIZE", 0x200),
	B("STATX_BLOCKS", 0x400), B("STATX_BTIME", 0x800), B("STATX_MNT_ID", 0x1000), B("STATX_DIOALIGN", 0x2000),
};
static const struct stp_code xattr_flags[] = {F(XATTR_CREATE), F(XATTR_REPLACE)};
static const struct stp_code swapon_flags[] = {
	B("SWAP_FLAG_PREFER", 0x8000), B("SWAP_FLAG_DISCARD", 0x10000), B("SWAP_FLAG_DISCARD_ONCE", 0x20000), B("SWAP_FLAG_DISCARD_PAGES", 0x40000),
};
/* the command is above the type of the quota */
#define Q(x) M(0xffffff00, #x, (x) << 8)
static const struct stp_code quotactl_cmd[] = {Q(Q_SYNC),     Q(Q_QUOTAON), Q(Q_QUOTAOFF), Q(Q_GETFMT),
					       Q(Q_GETINFO),  Q(Q_SETINFO), Q(Q_GETQUOTA), Q(Q_SETQUOTA),
					       M(0xff, "USRQUOTA", 0), M(0xff, "GRPQUOTA", 1), M(0xff, "PRJQUOTA", 2)};
static const struct stp_code flock_op[] = {F(LOCK_SH), F(LOCK_EX), F(LOCK_NB), F(LOCK_UN), F(LOCK_MAND), F(LOCK_READ), F(LOCK_WRITE)};
static const struct stp_code seek_whence[] = {C(SEEK_SET), C(SEEK_CUR), C(SEEK_END), C(SEEK_DATA), C(SEEK_HOLE)};
static const struct stp_code fcntl_cmd[] = {
	C(F_DUPFD), C(F_GETFD), C(F_SETFD), C(F_GETFL), C(F_SETFL), C(F_GETLK), C(F_SETLK), C(F_SETLKW), C(F_SETOWN), C(F_GETOWN), C(F_SETSIG),
	C(F_GETSIG), C(F_SETOWN_EX), C(F_GETOWN_EX), V("F_GETOWNER_UIDS", 17), C(F_OFD_GETLK), C(F_OFD_SETLK), C(F_OFD_SETLKW), C(F_SETLEASE),
	C(F_GETLEASE), C(F_NOTIFY), C(F_DUPFD_CLOEXEC), C(F_SETPIPE_SZ), C(F_GETPIPE_SZ), C(F_ADD_SEALS), C(F_GET_SEALS),
};
static const struct stp_code fallocate_mode[] = {
	F(FALLOC_FL_KEEP_SIZE), F(FALLOC_FL_PUNCH_HOLE), F(FALLOC_FL_NO_HIDE_STALE), F(FALLOC_FL_COLLAPSE_RANGE), F(FALLOC_FL_ZERO_RANGE),
	F(FALLOC_FL_INSERT_RANGE), F(FALLOC_FL_UNSHARE_RANGE),
};
static const struct stp_code fadvise[] = {C(POSIX_FADV_NORMAL),	  C(POSIX_FADV_RANDOM),	  C(POSIX_FADV_SEQUENTIAL),
					  C(POSIX_FADV_WILLNEED), C(POSIX_FADV_DONTNEED), C(POSIX_FADV_NOREUSE)};
static const struct stp_code sync_range[] = {F(SYNC_FILE_RANGE_WAIT_BEFORE), F(SYNC_FILE_RANGE_WRITE), F(SYNC_FILE_RANGE_WAIT_AFTER)};
static const struct stp_code splice_flags[] = {F(SPLICE_F_MOVE), F(SPLICE_F_NONBLOCK), F(SPLICE_F_MORE), F(SPLICE_F_GIFT)};
static const struct stp_code preadv2_flags[] = {F(RWF_HIPRI), F(RWF_DSYNC), F(RWF_SYNC), F(RWF_NOWAIT), F(RWF_APPEND)};
static const struct stp_code epoll_op[] = {C(EPOLL_CTL_ADD), C(EPOLL_CTL_MOD), C(EPOLL_CTL_DEL)};
static const struct stp_code eventfd_flags[] = {F(EFD_NONBLOCK), F(EFD_CLOEXEC), F(EFD_SEMAPHORE)};
static const struct stp_code signalfd_flags[] = {F(SFD_NONBLOCK), F(SFD_CLOEXEC)};
static const struct stp_code timerfd_flags[] = {F(TFD_TIMER_ABSTIME), F(TFD_TIMER_CANCEL_ON_SET), F(TFD_CLOEXEC), F(TFD_NONBLOCK)};
static const struct stp_code inotify_mask[] = {
	F(IN_ACCESS), F(IN_MODIFY), F(IN_ATTRIB), F(IN_CLOSE_WRITE), F(IN_CLOSE_NOWRITE), F(IN_OPEN), F(IN_MOVED_FROM), F(IN_MOVED_TO), F(IN_CREATE),
	F(IN_DELETE), F(IN_DELETE_SELF), F(IN_MOVE_SELF), F(IN_UNMOUNT), F(IN_Q_OVERFLOW), F(IN_IGNORED), F(IN_ONLYDIR), F(IN_DONT_FOLLOW),
	F(IN_EXCL_UNLINK), F(IN_MASK_CREATE), F(IN_MASK_ADD), F(IN_ISDIR), F(IN_ONESHOT),
};
static const struct stp_code fan_init[] = {
	M(0xc, "FAN_CLASS_NOTIF", 0), M(0xc, "FAN_CLASS_CONTENT", 4), M(0xc, "FAN_CLASS_PRE_CONTENT", 8), F(FAN_CLOEXEC), F(FAN_NONBLOCK),
	F(FAN_UNLIMITED_QUEUE), F(FAN_UNLIMITED_MARKS), F(FAN_REPORT_TID), F(FAN_REPORT_FID),
};
static const struct stp_code fan_mark[] = {
	F(FAN_MARK_ADD), F(FAN_MARK_REMOVE), F(FAN_MARK_FLUSH), F(FAN_MARK_DONT_FOLLOW), F(FAN_MARK_ONLYDIR), F(FAN_MARK_MOUNT),
	F(FAN_MARK_IGNORED_MASK), F(FAN_MARK_IGNORED_SURV_MODIFY), F(FAN_MARK_FILESYSTEM),
};
static const struct stp_code fanotify_mask[] = {
	F(FAN_ACCESS), F(FAN_MODIFY), F(FAN_CLOSE_WRITE), F(FAN_CLOSE_NOWRITE), F(FAN_OPEN), F(FAN_Q_OVERFLOW), F(FAN_OPEN_PERM),
	F(FAN_ACCESS_PERM), F(FAN_ONDIR), F(FAN_EVENT_ON_CHILD),
};
static const struct stp_code prot[] = {C(PROT_NONE), F(PROT_READ), F(PROT_WRITE), F(PROT_EXEC), B("PROT_SEM", 8), F(PROT_GROWSDOWN), F(PROT_GROWSUP)};
static const struct stp_code mmap_flags[] = {
	M(0xf, "MAP_SHARED", 1), M(0xf, "MAP_PRIVATE", 2), M(0xf, "MAP_SHARED_VALIDATE", 3), F(MAP_FIXED), F(MAP_ANONYMOUS), F(MAP_GROWSDOWN), F(MAP_DENYWRITE), F(MAP_EXECUTABLE),
	F(MAP_LOCKED), F(MAP_NORESERVE), F(MAP_POPULATE), F(MAP_NONBLOCK), F(MAP_STACK), F(MAP_HUGETLB), F(MAP_SYNC), F(MAP_FIXED_NOREPLACE), B("MAP_32BIT", 0x40),
};
static const struct stp_code mremap_flags[] = {B("MREMAP_MAYMOVE", 1), B("MREMAP_FIXED", 2), B("MREMAP_DONTUNMAP", 4)};
static const struct stp_code msync_flags[] = {F(MS_ASYNC), F(MS_INVALIDATE), F(MS_SYNC)};
static const struct stp_code mlock2_flags[] = {B("MLOCK_ONFAULT", 1)};
static const struct stp_code mlockall_flags[] = {F(MCL_CURRENT), F(MCL_FUTURE), F(MCL_ONFAULT)};
static const struct stp_code advices[] = {
	C(MADV_NORMAL), C(MADV_RANDOM), C(MADV_SEQUENTIAL), C(MADV_WILLNEED), C(MADV_DONTNEED), C(MADV_FREE), C(MADV_REMOVE), C(MADV_DONTFORK),
	C(MADV_DOFORK), C(MADV_HWPOISON), V("MADV_SOFT_OFFLINE", 101), C(MADV_MERGEABLE), C(MADV_UNMERGEABLE), C(MADV_HUGEPAGE), C(MADV_NOHUGEPAGE),
	C(MADV_DONTDUMP), C(MADV_DODUMP), C(MADV_WIPEONFORK), C(MADV_KEEPONFORK), C(MADV_COLD), C(MADV_PAGEOUT), C(MADV_POPULATE_READ),
	C(MADV_POPULATE_WRITE), V("MADV_DONTNEED_LOCKED", 24), V("MADV_COLLAPSE", 25),
};
static const struct stp_code memfd_flags[] = {B("MFD_CLOEXEC", 1), B("MFD_ALLOW_SEALING", 2), B("MFD_HUGETLB", 4), B("MFD_NOEXEC_SEAL", 8), B("MFD_EXEC", 16)};
static const struct stp_code mempolicy_flags[] = {F(MPOL_F_NODE), F(MPOL_F_ADDR), F(MPOL_F_MEMS_ALLOWED)};
#define POLICY(x) M(0x3fffffff, #x, x)
static const struct stp_code mempolicy[] = {
	B("MPOL_F_STATIC_NODES", 1u << 15), B("MPOL_F_RELATIVE_NODES", 1u << 14), POLICY(MPOL_DEFAULT), POLICY(MPOL_PREFERRED),
	POLICY(MPOL_BIND), POLICY(MPOL_INTERLEAVE), POLICY(MPOL_LOCAL), M(0x3fffffff, "MPOL_PREFERRED_MANY", 5), M(0x3fffffff, "MPOL_WEIGHTED_INTERLEAVE", 6),
};
static const struct stp_code pkey_rights[] = {B("PKEY_DISABLE_ACCESS", 1), B("PKEY_DISABLE_WRITE", 2)};
static const struct stp_code membarrier[] = {
	V("MEMBARRIER_CMD_QUERY", 0), V("MEMBARRIER_CMD_GLOBAL", 1), V("MEMBARRIER_CMD_GLOBAL_EXPEDITED", 2),
	V("MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED", 4), V("MEMBARRIER_CMD_PRIVATE_EXPEDITED", 8),
	V("MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED", 16), V("MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE", 32),
	V("MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE", 64), V("MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ", 128),
	V("MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ", 256),
};
static const struct stp_code shmat_flags[] = {F(SHM_RDONLY), F(SHM_RND), F(SHM_REMAP), F(SHM_EXEC)};
static const struct stp_code shmget_flags[] = {F(IPC_CREAT), F(IPC_EXCL), B("SHM_HUGETLB", 04000), B("SHM_NORESERVE", 010000)};

const struct stp_decoder stp_decode_file[] = {
	FLAGS("open", open_flags), FLAGS("open_bits", open_bits), FLAGS("access", access_mode), FLAGS("at", at_flags), FLAGS("faccessat2", faccessat2_flags),
	FLAGS_OCT("mknod", mknod_mode), FLAGS("mount", mount_flags), FLAGS("umount", umount_flags), FLAGS("rename", rename_flags), FLAGS("statx", statx_mask),
	FLAGS("xattr", xattr_flags), FLAGS("swapon", swapon_flags), FLAGS("quotactl", quotactl_cmd), FLAGS("flock", flock_op), ENUM("seek", seek_whence),
	ENUM("fcntl", fcntl_cmd), FLAGS("fallocate", fallocate_mode), ENUM("fadvise", fadvise), FLAGS("sync_file_range", sync_range),
	FLAGS("splice", splice_flags), FLAGS("preadv2", preadv2_flags), ENUM("epoll_op", epoll_op), FLAGS("eventfd", eventfd_flags),
	FLAGS("signalfd", signalfd_flags), FLAGS("timerfd", timerfd_flags), FLAGS("inotify", inotify_mask), FLAGS("fanotify_init", fan_init),
	FLAGS("fanotify_mark", fan_mark), FLAGS("fanotify_mask", fanotify_mask), FLAGS("prot", prot), FLAGS("mmap", mmap_flags),
	FLAGS("mremap", mremap_flags), FLAGS("msync", msync_flags), FLAGS("mlock2", mlock2_flags), FLAGS("mlockall", mlockall_flags),
	ENUM("madvise", advices), FLAGS("memfd", memfd_flags), FLAGS("mempolicy_flags", mempolicy_flags), FLAGS("mempolicy", mempolicy),
	FLAGS("pkey", pkey_rights), ENUM("membarrier", membarrier), FLAGS("shmat", shmat_flags), FLAGS_OCT("shmget", shmget_flags),
	{0},
};
