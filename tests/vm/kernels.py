"""Debian's kernels, fetched and unpacked: never installed, kept in a cache folder.

The folder is $SPILE_VM_CACHE, else ~/.cache/spile-vm.  apt fetches the packages through a configuration of our own, so that the
machine's is left alone; it checks every package against the archive's signature.  A kernel's folder holds

    vmlinux     the ELF kernel out of the package's bzImage: QEMU starts it without unpacking it first
    modules/    the loadable modules of MODULES and all that they stand on, unpacked
    order       their names, a module after those that it needs
    wanted      MODULES as it was then: a folder that lacks one of today's is fetched again
    config      the kernel's configuration
    version     what `uname -r` says
    debug/      with fetch_debug(): debug information of the kernel and of MODULES, laid out as below /usr/lib/debug
"""
import os, re, shutil, struct, subprocess, tempfile

# name: (release of the archive, package)
KERNELS = {
    "6.1": ("bookworm-security", "linux-image-amd64"),
    "6.12": ("bookworm-security", "linux-image-6.12-amd64"),
    "sid": ("sid", "linux-image-amd64"),
}
# For the guest to reach its files; for tests of functions in modules, of file systems and of block devices; for files that handlers answer.
BOOT = ["virtio_pci", "9p", "9pnet_virtio"]
MODULES = BOOT + ["crc32c_generic", "loop", "ext4", "xfs", "dummy", "md_mod", "raid1", "tun", "binfmt_misc", "fuse"]
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class NoKernel(Exception):
    pass


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.environ.get("SPILE_VM_CACHE") or os.path.join(base, "spile-vm")


def run(argv, **kw):
    r = subprocess.run(argv, capture_output=True, text=True, **kw)
    if r.returncode:
        raise NoKernel(f"{' '.join(argv[:1] + argv[-2:])} ended with {r.returncode}: {(r.stderr or r.stdout).strip()[-600:]}")
    return r.stdout


def read(path):
    return open(path).read() if os.path.exists(path) else ""


def archive_of(release):
    """Where this machine's apt finds Debian: its security archive or the main one."""
    wanted = release.endswith("-security")
    for line in run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(CODENAME)"]).splitlines():
        uri, origin, codename = (line.split() + ["", ""])[:3]
        if origin == "Debian" and codename.endswith("-security") == wanted:
            return uri
    raise NoKernel(f"apt on this machine knows no Debian archive for {release} (`apt-get update` may be missing)")


def apt_options(folder, release):
    """Options for apt-get and apt-cache that see this release and nothing of the machine's own state."""
    for d in ("parts", "lists/partial", "archives/partial"):
        os.makedirs(os.path.join(folder, d), exist_ok=True)
    with open(os.path.join(folder, "sources.list"), "w") as f:
        f.write(f"deb [signed-by={KEYRING}] {archive_of(release)} {release} main\n")
    places = {"Dir::Etc::sourcelist": "sources.list", "Dir::Etc::sourceparts": "parts", "Dir::Etc::preferencesparts": "parts",
              "Dir::State::Lists": "lists", "Dir::Cache": "."}
    options = [f"{k}={folder}/{v}" for k, v in places.items()]
    options += ["Dir::Etc::preferences=/dev/null", "APT::Sandbox::User=root", "APT::Install-Recommends=false", "Acquire::Languages=none",
                "APT::Architecture=amd64", "Acquire::Retries=3"]
    return [w for o in options for w in ("-o", o)]


def depends(apt, package):
    return re.findall(r"^\s*\|?Depends: (\S+)", run(["apt-cache", *apt, "depends", package]), re.M)


def download(release, meta, folder):
    """Unpacks the packages of the kernel that the meta package names into folder/root."""
    apt = apt_options(os.path.join(folder, "apt"), release)
    run(["apt-get", *apt, "update"])
    image = next((p for p in depends(apt, meta) if re.match(r"linux-image-\d", p)), None)
    if not image:
        raise NoKernel(f"{meta} of {release} names no kernel")
    version = image[len("linux-image-"):]
    # since 6.19 the image package is empty and depends on these; the configuration is in linux-base
    parts = [image] + [p for p in depends(apt, image) if p in (f"linux-{what}-{version}" for what in ("base", "binary", "modules"))]
    for p in parts:
        run(["apt-get", *apt, "download", p], cwd=folder)
    for deb in sorted(os.listdir(folder)):
        if deb.endswith(".deb"):
            run(["dpkg", "-x", deb, "root"], cwd=folder)
    return version


def unpacked(data):
    """Compressed bytes, told by their magic, unpacked; others as they are."""
    for magic, tool in ((b"\xfd7zXZ", ["xz", "-dc", "--single-stream"]), (b"\x28\xb5\x2f\xfd", ["zstd", "-dcq"]),
                        (b"\x02\x21\x4c\x18", ["lz4", "-dcq"]), (b"\x1f\x8b", ["gzip", "-dc"])):
        if data.startswith(magic):
            return subprocess.run(tool, input=data, capture_output=True).stdout
    return data


def elf_of_bzimage(data):
    """The ELF kernel inside (Documentation/arch/x86/boot.rst: setup_sects, payload_offset, payload_length)."""
    sectors = data[0x1F1] or 4
    offset, length = struct.unpack_from("<II", data, 0x248)
    start = (sectors + 1) * 512 + offset
    packed = data[start:start + length]
    size = struct.unpack("<I", packed[-4:])[0]  # the unpacked size follows the packed bytes
    elf = unpacked(packed)[:size]
    if not elf.startswith(b"\x7fELF") or len(elf) != size:
        raise NoKernel("the kernel image holds no ELF file that can be unpacked")
    return elf


def find(root, pattern):
    return sorted(os.path.join(d, f) for d, _, files in os.walk(root) for f in files if re.fullmatch(pattern, f))


def take_modules(root, folder):
    """Copies MODULES and what they depend on (their .modinfo says), in an order in which they load."""
    files = {re.sub(r"\.ko.*", "", os.path.basename(p)).replace("-", "_"): p for p in find(root, r".*\.ko(\.\w+)?")}
    order = []
    os.makedirs(f"{folder}/modules")

    def take(name):
        if name in order or name not in files:  # not there: built in
            return
        data = unpacked(open(files[name], "rb").read())
        found = re.search(rb"(?:^|\0)depends=([^\0]*)\0", data)
        for other in (found.group(1).decode() if found else "").split(","):
            take(other.replace("-", "_"))
        with open(f"{folder}/modules/{name}.ko", "wb") as f:
            f.write(data)
        order.append(name)

    for name in MODULES:
        take(name)
    with open(f"{folder}/order", "w") as f:
        f.write("".join(n + "\n" for n in order))


def fetch(name, say=print):
    """The folder of the kernel, fetched if it is not in the cache yet; NoKernel when it cannot be had."""
    if name not in KERNELS:
        raise NoKernel(f"no kernel {name}: there are {', '.join(KERNELS)}")
    folder = os.path.join(cache_folder(), name)
    if all(os.path.exists(f"{folder}/{f}") for f in ("version", "config")) and set(MODULES) <= set(read(f"{folder}/wanted").split()):
        return folder
    release, meta = KERNELS[name]
    say(f"fetching {meta} of {release}")
    os.makedirs(cache_folder(), exist_ok=True)
    work = tempfile.mkdtemp(dir=cache_folder(), prefix=".fetch-")
    try:
        version = download(release, meta, work)
        images = find(f"{work}/root", r"vmlinuz.*")
        if not images:
            raise NoKernel(f"the packages of {version} hold no kernel image")
        os.makedirs(f"{work}/done")
        with open(f"{work}/done/vmlinux", "wb") as f:
            f.write(elf_of_bzimage(open(images[0], "rb").read()))
        take_modules(f"{work}/root", f"{work}/done")
        configs = find(f"{work}/root", r"config(-.*)?")
        if not configs:
            raise NoKernel(f"the packages of {version} hold no configuration")
        shutil.copy(configs[0], f"{work}/done/config")
        with open(f"{work}/done/wanted", "w") as f:
            f.write(" ".join(MODULES))
        with open(f"{work}/done/version", "w") as f:
            f.write(version + "\n")
        if read(f"{folder}/version").strip() == version and os.path.exists(f"{folder}/debug"):
            os.rename(f"{folder}/debug", f"{work}/done/debug")
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(f"{work}/done", folder)
    except OSError as e:
        raise NoKernel(str(e)) from e
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def fetch_debug(name, say=print):
    """Adds debug/ to the kernel's folder: half a gigabyte, out of a package of nearly one."""
    folder = fetch(name, say)
    if os.path.exists(f"{folder}/debug"):
        return folder
    version = open(f"{folder}/version").read().strip()
    package = f"linux-image-{version}-dbg"
    say(f"fetching {package} of {KERNELS[name][0]}")
    work = tempfile.mkdtemp(dir=cache_folder(), prefix=".fetch-")
    try:
        apt = apt_options(os.path.join(work, "apt"), KERNELS[name][0])
        run(["apt-get", *apt, "update"])
        run(["apt-get", *apt, "download", package], cwd=work)
        deb = next(f for f in os.listdir(work) if f.endswith(".deb"))
        names = ["*/boot/vmlinux-*"] + [f"*/{m.replace('_', '[-_]')}.ko" for m in MODULES]
        unpack = subprocess.Popen(["dpkg", "--fsys-tarfile", deb], cwd=work, stdout=subprocess.PIPE)
        subprocess.run(["tar", "x", "--wildcards", *names], cwd=work, stdin=unpack.stdout, capture_output=True)  # built-in modules have no file
        unpack.wait()
        if not find(f"{work}/usr/lib/debug", r"vmlinux-.*"):
            raise NoKernel(f"{package} holds no vmlinux")
        os.rename(f"{work}/usr/lib/debug", f"{folder}/debug")
    except OSError as e:
        raise NoKernel(str(e)) from e
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder
