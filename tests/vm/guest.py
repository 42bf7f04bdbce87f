"""One boot of a kernel in QEMU: runs a command as root in the guest, over the host's own files.

The guest's root is the host's, read-only; /tmp, /run and /dev/shm are its own and empty.  /run/vm is a folder of the host that both write.
"""
import fcntl, os, re, shlex, shutil, signal, subprocess, sys, tempfile, time

import kernels

HERE = os.path.dirname(os.path.abspath(__file__))
# What a kernel says when it has gone wrong (lib/bug.c, arch/x86/mm/fault.c, kernel/panic.c, kernel/watchdog.c, kernel/rcu/tree_stall.h)
DEATH = re.compile(r"^.*(Kernel panic|Oops:|BUG: |general protection fault|double fault|self-detected stall|detected stalls|blocked for more than).*$", re.M)


def has_kvm():
    """Whether QEMU can use the processor's own virtual machines.  /dev/kvm alone does not say so: some hosts offer one that only runs kernels
    made for it."""
    if os.environ.get("SPILE_VM_TCG") or not re.search(r"^flags\b.*\b(vmx|svm)\b", open("/proc/cpuinfo").read(), re.M):
        return False
    try:
        fd = os.open("/dev/kvm", os.O_RDWR)
    except OSError:
        return False
    try:
        return fcntl.ioctl(fd, 0xAE00) == 12  # KVM_GET_API_VERSION
    except OSError:
        return False
    finally:
        os.close(fd)


def make_initrd(folder, path):
    """busybox, the modules that reach the host's files, and init."""
    root = tempfile.mkdtemp()
    try:
        for d in ("bin", "dev", "proc", "sys", "tmp", "modules"):
            os.mkdir(f"{root}/{d}")
        shutil.copy("/bin/busybox", f"{root}/bin/busybox")
        shutil.copy(f"{HERE}/init", f"{root}/init")
        os.chmod(f"{root}/init", 0o755)
        order = open(f"{folder}/order").read().split()
        last = max(order.index(m) for m in kernels.BOOT if m in order)
        for m in order[:last + 1]:
            shutil.copy(f"{folder}/modules/{m}.ko", f"{root}/modules")
        with open(f"{root}/order", "w") as f:
            f.write("\n".join(order[:last + 1]) + "\n")
        names = subprocess.run(["find", "."], cwd=root, capture_output=True, check=True).stdout
        with open(path, "wb") as f:
            subprocess.run(["cpio", "-o", "-H", "newc", "-R", "0:0", "--quiet"], cwd=root, input=names, stdout=f, check=True)
    finally:
        shutil.rmtree(root)


def clock_option():
    """An emulated guest sees this machine's time-stamp counter and measures its rate when it boots; on a busy machine it is off by far, and
    all its clocks with it.  Where this machine is virtual itself, /proc/cpuinfo has the rate."""
    info = open("/proc/cpuinfo").read()
    mhz = re.search(r"^cpu MHz\s*: (\d+\.\d+)", info, re.M)
    return f" tsc_early_khz={float(mhz.group(1)) * 1000:.0f}" if mhz and " hypervisor" in info and not has_kvm() else ""


def qemu(folder, share, interactive):
    # One thread for all processors: with one each, emulation may run a breakpoint that another processor has just taken out of the kernel's
    # text, and a tracer's tests write breakpoints into it all the time.
    accel, cpu = ("kvm", "host") if has_kvm() else ("tcg,thread=single", "max")
    files = "local,security_model=none,multidevs=remap"
    return ["qemu-system-x86_64", "-machine", "pc", "-accel", accel, "-cpu", cpu, "-smp", "2", "-m", os.environ.get("SPILE_VM_MEMORY", "2G"),
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "mon:stdio" if interactive else "stdio",
            "-kernel", f"{folder}/vmlinux", "-initrd", f"{share}/initrd",
            "-append", "console=ttyS0 quiet mitigations=off nokaslr tsc=reliable no_timer_check panic=-1 oops=panic lsm=bpf transparent_hugepage=never"
            + clock_option(),
            "-fsdev", f"{files},id=host,path=/,readonly=on", "-device", "virtio-9p-pci,fsdev=host,mount_tag=host",
            "-fsdev", f"{files},id=share,path={share}", "-device", "virtio-9p-pci,fsdev=share,mount_tag=share"]


def follow(path, done, out):
    """Passes on what is appended to the file until done() is true."""
    pos = 0
    while True:
        last = done()
        if os.path.exists(path):
            with open(path, "rb") as f:
                f.seek(pos)
                data = f.read()
            pos += len(data)
            out.write(data.decode(errors="backslashreplace"))
            out.flush()
        if last:
            return
        time.sleep(0.2)


class Guest:
    """After run(): status (the command's; None when it never ended), death (what killed the guest, or None), console, and the folder
    `share` with what the command left in /run/vm; close() removes it."""

    def __init__(self, folder, top, *others):
        self.folder, self.top = folder, os.path.realpath(top)
        self.folders = [self.top, folder, *others]  # of the host, to be seen in the guest even under /tmp
        self.share = tempfile.mkdtemp(prefix="spile-vm-")
        self.status = self.death = None
        self.console = ""

    def write(self, name, text):
        with open(f"{self.share}/{name}", "w") as f:
            f.write(text)

    def prepare(self):
        make_initrd(self.folder, f"{self.share}/initrd")
        shutil.copy(f"{HERE}/main", self.share)

    def command(self, argv, env):
        env = dict(PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME="/root", SPILE_IN_VM="1", **({} if has_kvm() else {"SPILE_VM_EMULATED": "1"}),
                   SPILE_VM_MODULES=self.folder, SPILE_KERNEL_DEBUG=f"{self.folder}/debug", **env)
        lines = [f"export {k}={shlex.quote(v)}" for k, v in env.items()]
        return "\n".join(lines + [f"cd {shlex.quote(self.top)} || exit 125", f"exec {shlex.join(argv)}"]) + "\n"

    def run(self, argv, limit, env={}, out=sys.stdout):
        self.write("folders", "".join(f + "\n" for f in self.folders))
        self.write("command", self.command(argv, env))
        self.prepare()
        with open(f"{self.share}/console", "wb") as console:
            p = subprocess.Popen(qemu(self.folder, self.share, False), stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT)
        end = time.monotonic() + limit
        timed_out = False
        try:
            follow(f"{self.share}/output", lambda: p.poll() is not None or time.monotonic() > end, out)
            timed_out = p.poll() is None
        finally:
            if p.poll() is None:
                p.send_signal(signal.SIGKILL)
            p.wait()
        self.console = open(f"{self.share}/console", errors="backslashreplace").read().replace("\r", "")
        found = DEATH.search(self.console)
        self.death = found.group(0).strip() if found else f"it hangs: no end after {limit} s" if timed_out else None
        if os.path.exists(f"{self.share}/status"):
            self.status = int(open(f"{self.share}/status").read() or 125)
        elif not self.death:
            self.death = "it ended before the command did"

    def shell(self):
        self.write("folders", "".join(f + "\n" for f in self.folders))
        self.write("shell", "")
        self.write("command", self.command(["bash", "-i"], {"PS1": "guest# ", "TERM": os.environ.get("TERM", "dumb")}))
        self.prepare()
        return subprocess.run(qemu(self.folder, self.share, True)).returncode

    def close(self):
        shutil.rmtree(self.share, ignore_errors=True)
