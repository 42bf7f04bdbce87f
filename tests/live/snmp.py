"""snmp.py N: N connections to a listener of its own, some bytes each way; prints by how much the counters of /proc/net/snmp and netstat rose."""
import socket, sys, time


def counters():
    found = {}
    for path in ("/proc/net/snmp", "/proc/net/netstat"):
        rows = [line.split() for line in open(path)]
        for names, values in zip(rows[::2], rows[1::2]):
            found.update({names[0][:-1] + name: int(v) for name, v in zip(names[1:], values[1:])})
    return found


def main():
    n = int(sys.argv[1])
    before = counters()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(n)
    for _ in range(n):
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        client.sendall(b"question" * 100)
        server.recv(4096)
        server.sendall(b"answer" * 100)
        client.recv(4096)
        client.close()
        server.close()
    closed = socket.socket()
    refused = closed.connect_ex(("127.0.0.1", 1))  # an attempt that fails, answered by a reset
    time.sleep(0.3)
    after = counters()
    for name in ("ActiveOpens", "PassiveOpens", "AttemptFails", "InSegs", "OutSegs", "OutRsts"):
        print("told", name, after["Tcp" + name] - before["Tcp" + name])
    print("told", "InReceives", after["IpInReceives"] - before["IpInReceives"])
    sys.stdout.flush()


main()
