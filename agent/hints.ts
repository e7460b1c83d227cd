/** What a person can do or run, by the code of an error; the first that fits. Read by everybody who shows an error. */
const hints: readonly (readonly [RegExp, string])[] = [
  [/^CONFIG_NOT_FOUND$/, "write one with: framepost init"],
  [
    /^SPOOL_LOCKED$/,
    "the daemon, or another command, owns the spool while it runs: stop it first (systemctl stop framepost, or Ctrl-C); queue commands need no stop",
  ],
  [/^CONTROL_DENIED$/, "run it as the user that the daemon runs as, or with sudo"],
  [/^CONTROL_VERSION$/, "restart the daemon, so that it and this program are of one version"],
  [/^CONTROL_/, "try again; when it does not pass, look into the daemon's log"],
  [/^QUEUE_NOT_FOUND$/, "see what is there with: framepost queue ls; and what was sent with: framepost queue sent"],
  [/^RECORD_UNREADABLE$/, "see what is damaged with: framepost queue verify"],
  [/^(SPOOL_FULL|DISK_FULL)$/, "free space on the disk, or raise spool.maxBytes or spool.maxRecords"],
  [
    /^SPOOL_HELD_ELSEWHERE$/,
    "export to that folder to end it; or, where it is lost for good, give its records back: framepost queue retry --all --state held",
  ],
  [/^EXPORT_FULL$/, "free space there and repeat it, or export the rest to another folder"],
  [/^EXPORT_BUSY$/, "wait for it to end, then repeat the command"],
  [/^EXPORT_FAILED$/, "make that folder writable for the owner of the data folder, then repeat the command"],
  [/^IMPORT_KEY$/, "set spool.encryption.key to the key of the gateway that exported them"],
  [
    /^SPOOL_KEY_(WRONG|MISSING)$/,
    "put the key of the records back into spool.encryption.key; or start anew: move the spool folder away, its encrypted records are then never sent",
  ],
  [
    /^SPOOL_KEY_INVALID$/,
    "make a key with: openssl rand -hex 32; store it as a credential and write ${credential:spool-key}",
  ],
  [
    /^(SPOOL_FORMAT|STATE_VERSION)_UNKNOWN$/,
    "run a version of Framepost as new as the one that wrote the data folder; or name another folder with --data or dataDir",
  ],
  [
    /^STATE_UNREADABLE$/,
    "make it readable for this user, or put a good copy there; moved away, what it holds begins anew",
  ],
  [
    /^(DATA_FOLDER|STATE_|SPOOL_)/,
    "make the data folder writable for this user, or name another with --data or dataDir",
  ],
  [
    /^CAMERA_PROGRAM_MISSING$/,
    "install it (sudo apt install ffmpeg, fswebcam or rpicam-apps-lite), or mend the camera's program",
  ],
  [/^CAMERA_PROGRAM_OLD$/, "install a newer one, and name it in this camera's program"],
  [/^CAMERA_NO_FILE$/, "put the file there, or mend this camera's input; a path is relative to the config file"],
  [/^CAMERA_INPUT$/, "check this camera's input with: ffprobe INPUT"],
  [/^CAMERA_DENIED$/, "sudo usermod -aG video $USER, then log in again"],
  [/^CAMERA_BUSY$/, "stop the program that uses it: sudo fuser -v /dev/video*"],
  [/^CAMERA_NO_FORMATS$/, "it may be a part of another camera, or lack power: try another port, without a hub"],
  [
    /^CAMERA_STALLED$/,
    "try a smaller size, a lower rate, another cable or port; raise stallAfter for a source that rightly sends so seldom",
  ],
  [
    /^CAMERA_(START_TIMEOUT|NO_PICTURE|TIMEOUT)$/,
    "try a smaller size, a lower rate, another cable or port; a network camera's address, network or timeout; for a watched folder, put a JPEG there",
  ],
  [/^CAMERA_LOST$/, "look at the camera's power and network; run a program of your own by hand, as the service's user"],
  [/^CAMERA_BAD_IMAGES?$/, "check cable and power; several USB cameras on one controller disturb each other"],
  [/^CAMERA_STOP_TIMEOUT$/, "unplug the camera, or restart the machine: the kernel's driver hangs"],
  [/^CAMERA_NO_RESOURCES$/, "free memory, or run fewer cameras and programs"],
  [/^CAMERA_NO_FOLDER$/, "make the folder, or mend the camera's path in the config"],
  [
    /^CAMERA_LOGIN_REFUSED$/,
    "set username and password of this camera; it is tried once a minute, as cameras lock accounts after some wrong tries",
  ],
  [/^CAMERA_NOT_FOUND$/, "check the path in this camera's address; the maker's manual, or ONVIF, names the right one"],
  [
    /^CAMERA_NOT_A_PICTURE$/,
    "check this camera's address in a browser: it must give pictures and no page; a stream takes driver http-mjpeg",
  ],
  [/^CAMERA_NOT_A_STREAM$/, "set this camera's driver to http-snapshot, or its url to that of the stream"],
  [/^CAMERA_REDIRECTED$/, "write the address that the camera really uses into its url"],
  [/^CAMERA_UNREACHABLE$/, "check host and port of this camera's address, its power and the network: ping it"],
  [/^CAMERA_TLS$/, "name the PEM file of the camera's certificate in its tls.ca, or use http in its address"],
  [/^CAMERA_(HTTP_STATUS|NOT_HTTP)$/, "look at the camera's own page; restart the camera where it is in trouble"],
  [/^CAMERA_/, "see what is there with: framepost cameras; try one with: framepost cameras --shot DEVICE"],
  [
    /^ONVIF_LOGIN$/,
    "name a user of the device that may use ONVIF: --username USER; many cameras have users of their own for it",
  ],
  [/^ONVIF_(UNREACHABLE|NO_ANSWER)$/, "check the address, and that ONVIF is turned on in the device's own settings"],
  [/^ONVIF_/, "read its addresses from its own web page or manual; docs/cameras.md says where they go"],
  [/^MODEL_BOOKS$/, "make state/models.json in the data folder readable, or move it away: it begins anew then"],
  [/^MODEL_BUSY$/, "repeat the command in some seconds"],
  [
    /^MODEL_CHECKSUM$/,
    "it is not the file that was asked for: check address and checksum; an installed one: remove it and add it again",
  ],
  [
    /^MODEL_DOWNLOAD$/,
    "check address, network and firewall and repeat the command, which goes on where it was; or fetch the file elsewhere: framepost models add FILE",
  ],
  [
    /^MODEL_INSTALLED$/,
    "put it to use with: framepost models use NAME@VERSION; or choose another version: --as NAME@VERSION",
  ],
  [
    /^MODEL_IN_USE$/,
    "put another one to use first (framepost models use NAME), or take it out of detector in the config",
  ],
  [/^MODEL_MANIFEST$/, "mend the manifest; models/README.md says what may stand in it"],
  [/^MODEL_NAME$/, "choose other ones with: --as NAME@VERSION"],
  [/^MODEL_NO_LENGTH$/, "name the file's checksum, by which it is known to be whole: --sha256 DIGITS"],
  [/^MODEL_NO_PREVIOUS$/, "see what there is with: framepost models ls; choose with: framepost models use NAME"],
  [
    /^MODEL_NO_ROOM$/,
    "free space on the disk of the data folder (framepost models rm NAME@VERSION), or lower spool.minFreeBytes, then repeat it",
  ],
  [
    /^(MODEL_NOT_FOUND|MODEL_NONE)$/,
    "see what there is with: framepost models catalog, and framepost models ls; or name an ONNX file",
  ],
  [/^MODEL_NOT_INSTALLED$/, "add it with: framepost models add NAME; see what there is with: framepost models catalog"],
  [/^MODEL_PINNED$/, "take detector.model (and detector.manifest) out of the config, then restart the daemon"],
  [
    /^MODEL_STORE$/,
    "run it with sudo, or as the user that the daemon runs as; the folder models in the data folder has to be usable for its owner",
  ],
  [/^MODEL_TOO_LARGE$/, "take a smaller model: this one could not be loaded"],
  [
    /^MODEL_(DEAD|DIFFERENT|UNPROVEN)$/,
    "take another file of this model, best a float one; see what it finds with: framepost detect --model FILE picture.jpg",
  ],
  [
    /^MODEL_GOLDEN$/,
    "take the golden picture in anew, with a photo of what the model should find: framepost models verify NAME --record PHOTO",
  ],
  [
    /^MODEL_(NOT_ONNX|TRUNCATED)$/,
    "fetch the file again: it was cut, or something else (a web page, a Git LFS pointer) has come in its place",
  ],
  [
    /^MODEL_(UNKNOWN_FAMILY|INPUT|OUTPUT)$/,
    "models/README.md has the families that can be read and the manifest that says what a file does not; or take a model of: framepost models catalog",
  ],
  [
    /^MODEL_RUNTIME_MISSING$/,
    "install Framepost again (npm ci), on a machine of the kind and with the Node.js that it runs with",
  ],
  [
    /^(MODEL_(FAILED|CRASHES|RUN)|VISION_(CRASHED|TIMEOUT))$/,
    "see whether it runs here: framepost models verify; then put another one to use, or go back: framepost models rollback",
  ],
  [
    /^VISION_MEMORY$/,
    "take a smaller model (framepost models bench shows each one's memory), or raise detector.maxMemory",
  ],
  [/^VISION_/, "it comes back by itself; when it does not, look into the log, and try: framepost models verify"],
  [
    /^MODEL_/,
    "try a model with: framepost detect --model FILE picture.jpg; then put it to use: framepost models use NAME",
  ],
  [/^RELEASE_KEY$/, "set detector.updates.publicKey to the line of minisign.pub that begins with RW"],
  [
    /^RELEASE_SIGNATURE$/,
    "sign release.json again with the key of detector.updates.publicKey, and put both files on the server, the signature first",
  ],
  [/^RELEASE_UNAVAILABLE$/, "put release.json and release.json.minisig where detector.updates.url points"],
  [/^RELEASE_/, "publish a release with a higher number that has not expired; docs/models.md says how"],
  [/^PROJECT_FULL$/, "delete images in the project, or move it to a larger tier; then it goes on by itself"],
  [/^PROJECT_MISMATCH$/, "set this target's annotations to auto, or projectId to a project of the other kind"],
  [/^TAG_REFUSED$/, "make the tag in the project, or delete unused ones there; then: framepost queue retry"],
  [/^USAGE_CUSTOMVISION$/, "split it into several requests; the limits stand in docs/platforms.md"],
  [
    /^PLATFORM_LOCKED$/,
    "wait for the other upload to end, or end it in the platform's web page; give each agent a dataset of its own",
  ],
  [/^PLATFORM_REFUSED$/, "put a token into this target's config that is valid; the platform's web page makes new ones"],
  [/^PLATFORM_CATEGORY$/, "give the category's id in category.ids of this target, or set createCategories: true"],
  [/^HTTP_401$/, "put the right token into this target's config; the platform's web page shows it"],
  [/^HTTP_403$/, "ask the platform's administrator what this account may do; a firewall may also refuse"],
  [
    /^HTTP_(404|405|REDIRECT|NOT_THE_PLATFORM)$/,
    "check this target's url: scheme, host and port of the platform itself",
  ],
  [/^(HTTP_407|PROXY_)/, "check this target's proxy, its user and password, and that it allows CONNECT"],
  [/^HTTP_5/, "the platform itself is in trouble: ask its administrator, or wait"],
  [/^IOTOWN_NODE_UNKNOWN$/, "register the node in IoT.own, or set nid to one of: framepost platform iotown nodes"],
  [/^TLS_UNTRUSTED$/, "name the PEM file of the server's certificate authority in tls.ca of this target"],
  [/^TLS_/, "check tls of this target, and that its url has the scheme that the server speaks"],
  [
    /^MQTT_(CREDENTIALS|NOT_AUTHORISED)$/,
    "check username, password and topic of this target against the broker's rules",
  ],
  [/^MQTT_PROTOCOL/, "check that an MQTT broker listens at this target's url, and protocol"],
  [/^NET_DNS$/, "check the host name in this target's url; resolve it with: getent hosts NAME"],
  [/^NET_REFUSED$/, "check host and port of this target's url, and that the server runs"],
  [/^(NET_|MQTT_)/, "check this target's url, the network and the firewall"],
  [/^(FOLDER_FULL)$/, "free space, or raise maxBytes of this target"],
  [/^(DISK_|FOLDER_)/, "make the target's folder writable for this user"],
];

export function hintFor(code: string): string | undefined {
  return hints.find(([pattern]) => pattern.test(code))?.[1];
}
