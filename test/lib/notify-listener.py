"""Listens as a service manager does: prints each datagram with the process that the kernel says has sent it.

Arguments: the socket's path, then, for the way over an inherited descriptor, the command to run with it.
"""
import json, os, socket, struct, sys

path, way, command = sys.argv[1], sys.argv[2], sys.argv[3:]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
listener.bind(path)
pid = os.fork()
if pid == 0:
    environment = dict(os.environ)
    if way == "descriptor":
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sender.connect(path)
        # Behind another one, so that the name is what counts.
        os.dup2(os.open("/dev/null", os.O_RDONLY), 3)
        os.dup2(sender.fileno(), 4)
        os.set_inheritable(3, True)
        os.set_inheritable(4, True)
        environment.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="other:notify")
    else:
        environment.update(NOTIFY_SOCKET=path)
    environment.update(WATCHDOG_PID=str(os.getpid()))
    os.execvpe(command[0], command, environment)
print(json.dumps({"main": pid}), flush=True)
listener.settimeout(0.05)
ended = None
while True:
    try:
        text, control, _flags, _address = listener.recvmsg(4096, socket.CMSG_SPACE(12))
    except socket.timeout:
        if ended is not None:
            break
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            ended = os.waitstatus_to_exitcode(status)
        continue
    sender = struct.unpack("iII", control[0][2])[0]
    print(json.dumps({"from": sender, "text": text.decode()}), flush=True)
print(json.dumps({"ended": ended}), flush=True)
