"""An RTSP server for tests: a ball that moves, 320x240 at 30 frames a second.

Reads user, password and the folder of its streams as three lines from its standard input, prints its three ports (no
password asked; Basic; Digest), and serves /h264 and /mjpeg in that folder at each of them until it is killed. Ports may be given, to come back at the same ones. Ends
with status 3 where something of GStreamer is missing.
"""

import sys

try:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtsp", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtsp, GstRtspServer
except (ImportError, ValueError):
    sys.exit(3)

SOURCE = "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=30/1"
PAYLOADS = {
    "/h264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=3 ! rtph264pay name=pay0 config-interval=1",
    "/mjpeg": "jpegenc ! rtpjpegpay name=pay0",
}
ROLE = "viewer"


def factory(payload):
    made = GstRtspServer.RTSPMediaFactory()
    made.set_launch(f"( {SOURCE} ! {payload} )")
    made.set_shared(True)
    permissions = GstRtspServer.RTSPPermissions()
    for permission in ("media.factory.access", "media.factory.construct"):
        permissions.add_permission_for_role(ROLE, permission, True)
    made.set_permissions(permissions)
    return made


def authentication(method, user, password):
    made = GstRtspServer.RTSPAuth()
    made.set_supported_methods(method)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", ROLE)
    if method == GstRtsp.RTSPAuthMethod.DIGEST:
        made.add_digest(user, password, token)
    else:
        made.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    return made


def server(port, auth):
    made = GstRtspServer.RTSPServer()
    made.set_address("127.0.0.1")
    made.set_service(port)
    for path, payload in PAYLOADS.items():
        made.get_mount_points().add_factory(folder + path, factory(payload))
    if auth is not None:
        made.set_auth(auth)
    if made.attach(None) == 0:
        sys.exit(f"port {port} cannot be listened on")
    return made


Gst.init(None)
if None in [Gst.ElementFactory.find(name) for name in ("videotestsrc", "x264enc", "jpegenc", "rtph264pay")]:
    sys.exit(3)
user, password, folder = (sys.stdin.readline().rstrip("\n") for _ in range(3))
ports = sys.argv[1:4] or ["0", "0", "0"]
methods = (GstRtsp.RTSPAuthMethod.BASIC, GstRtsp.RTSPAuthMethod.DIGEST)
auths = [None, *(authentication(method, user, password) for method in methods)]
servers = [server(port, auth) for port, auth in zip(ports, auths)]
print(*(made.get_bound_port() for made in servers), flush=True)
GLib.MainLoop().run()
