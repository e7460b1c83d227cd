// The texts of a Debian package that are made from what it holds.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const maintainer = "Framepost maintainers <maintainers@framepost.invalid>";

export function controlOf({ engines }, { version, architecture, sizeKb }) {
  const node = engines.node.replace(/^>=/, "").replace(/\.0$/, "");
  const fields = {
    Package: "framepost",
    Version: version,
    Section: "net",
    Priority: "optional",
    Architecture: architecture,
    Maintainer: maintainer,
    "Installed-Size": sizeKb,
    // What the binaries of the dependencies were built against.
    Depends: `nodejs (>= ${node}), libc6 (>= 2.28), libstdc++6 (>= 9), libgcc-s1, systemd | systemd-standalone-sysusers | systemd-sysusers`,
    "Pre-Depends": "init-system-helpers (>= 1.54~)",
    Recommends: "ca-certificates, ffmpeg, fswebcam",
    Suggests: "mosquitto, rpicam-apps",
    Description: [
      "label camera frames on a gateway and deliver them to platforms",
      " Framepost captures frames, finds objects in them with a local ONNX detector,",
      " keeps what is worth keeping in a buffer on disk, and delivers images with",
      " their annotations to annotation platforms over HTTP and to MQTT brokers.",
      " .",
      " It runs unattended: dead cameras, full disks, power cuts and weeks without",
      " a network cost frames that were never taken, and no record that was kept.",
    ].join("\n"),
  };
  return Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join("");
}

/** Debian's form; what changed for users stands in CHANGELOG.md. */
export function changelogOf(version, date) {
  const day = new Date(date * 1000).toUTCString().replace("GMT", "+0000");
  const change = "  * See /usr/lib/framepost/CHANGELOG.md.";
  return `framepost (${version}) unstable; urgency=medium\n\n${change}\n\n -- ${maintainer}  ${day}\n`;
}

/** The program's licence, and that of every package that comes with it. */
export function copyrightOf(program) {
  const licence = (name) => ` On Debian systems the full text is in /usr/share/common-licenses/${name}.`;
  const head = [
    "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/",
    "Upstream-Name: Framepost",
    "",
    "Files: *",
    "Copyright: 2026 the Framepost maintainers",
    "License: Apache-2.0",
    licence("Apache-2.0"),
  ];
  const bundled = packagesOf(join(program, "node_modules")).flatMap(({ path, manifest }) => [
    "",
    `Files: usr/lib/framepost/node_modules/${path}/*`,
    `Copyright: ${authorOf(manifest)}`,
    `License: ${licenceOf(manifest)}`,
    ` ${manifest.name} ${manifest.version}; its own text lies in that folder.`,
  ]);
  return `${[...head, ...bundled].join("\n")}\n`;
}

function packagesOf(modules) {
  const names = readdirSync(modules).flatMap((name) =>
    name.startsWith("@") ? readdirSync(join(modules, name)).map((each) => `${name}/${each}`) : [name],
  );
  return names.sort().map((path) => ({
    path,
    manifest: JSON.parse(readFileSync(join(modules, path, "package.json"), "utf8")),
  }));
}

function licenceOf({ license, licenses }) {
  const named = typeof license === "object" ? license.type : (license ?? licenses?.[0]?.type);
  return (named ?? "see-its-folder").replace(/[()]/g, "").replace(/ (OR|AND) /g, (word) => word.toLowerCase());
}

function authorOf({ author, maintainers, name }) {
  const [first] = [author, ...(maintainers ?? [])].filter((each) => each !== undefined);
  const text = typeof first === "object" ? first.name : first;
  return text?.replace(/\s*[<(].*$/s, "") || `the authors of ${name}`;
}
