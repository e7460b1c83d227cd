// A Debian package of a staged tree: what Debian wants beside the program, and dpkg-deb.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, cpSync, lstatSync, lutimesSync, mkdirSync, readdirSync } from "node:fs";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { changelogOf, controlOf, copyrightOf } from "./debian-texts.mjs";
import { filesBelow } from "./files.mjs";

const sources = join(import.meta.dirname, "debian");

/** The package's path. `root` holds usr/lib/framepost. */
export function buildDebian(root, { architecture, suffix, date, out }) {
  const program = join(root, "usr/lib/framepost");
  const manifest = JSON.parse(readFileSync(join(program, "package.json"), "utf8"));
  // The agent says which build it is.
  const version = `${manifest.version}${suffix}`;
  writeFileSync(join(program, "package.json"), `${JSON.stringify({ ...manifest, version }, undefined, 2)}\n`);

  install("systemd/framepost.service", root, "usr/lib/systemd/system/framepost.service");
  install(join(sources, "sysusers.conf"), root, "usr/lib/sysusers.d/framepost.conf");
  install(join(sources, "lintian-overrides"), root, "usr/share/lintian/overrides/framepost");
  // Not below /etc: dpkg would ask about a changed one in the middle of an unattended upgrade.
  install(join(sources, "framepost.yaml"), root, "usr/share/framepost/framepost.yaml");
  link("../lib/framepost/dist/agent/main.js", root, "usr/bin/framepost");
  link("../../../lib/framepost/docs", root, "usr/share/doc/framepost/docs");
  text(root, "usr/share/doc/framepost/copyright", copyrightOf(program));
  const changelog = changelogOf(version, date);
  text(root, "usr/share/doc/framepost/changelog.gz", gzipSync(changelog, { level: 9 }));

  const files = filesBelow(root);
  const sizeKb = files.reduce((sum, path) => sum + Math.ceil(lstatSync(join(root, path)).size / 1024), 0);
  for (const name of ["postinst", "prerm", "postrm"]) install(join(sources, name), root, `DEBIAN/${name}`);
  text(root, "DEBIAN/control", controlOf(manifest, { version, architecture, sizeKb }));
  text(root, "DEBIAN/md5sums", sumsOf(root, files));
  normalise(root, date);
  return archive(root, join(out, `framepost_${version}_${architecture}.deb`), date);
}

function install(from, root, to) {
  mkdirSync(dirname(join(root, to)), { recursive: true });
  cpSync(from, join(root, to));
}

function text(root, to, content) {
  mkdirSync(dirname(join(root, to)), { recursive: true });
  writeFileSync(join(root, to), content);
}

function link(to, root, path) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  symlinkSync(to, join(root, path));
}

function sumsOf(root, files) {
  const lines = files.flatMap((path) => {
    if (lstatSync(join(root, path)).isSymbolicLink()) return [];
    return [
      `${createHash("md5")
        .update(readFileSync(join(root, path)))
        .digest("hex")}  ${path}\n`,
    ];
  });
  return lines.join("");
}

/** Modes and times depend on whoever builds; in the package they do not. */
function normalise(folder, date) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) normalise(path, date);
    else if (!entry.isSymbolicLink()) chmodSync(path, isProgram(path) ? 0o755 : 0o644);
    lutimesSync(path, date, date);
  }
  chmodSync(folder, 0o755);
  lutimesSync(folder, date, date);
}

function isProgram(path) {
  return path.endsWith("usr/lib/framepost/dist/agent/main.js") || /DEBIAN\/(postinst|prerm|postrm)$/.test(path);
}

function archive(root, file, date) {
  // More threads cut the stream into other blocks: then the bytes would depend on the machine.
  const environment = { ...process.env, SOURCE_DATE_EPOCH: String(date), DPKG_DEB_THREADS_MAX: "1" };
  const words = ["--root-owner-group", "-Zxz", "-z6", "--build", root, file];
  const { status, stderr } = spawnSync("dpkg-deb", words, { env: environment, encoding: "utf8" });
  if (status !== 0) throw new Error(`dpkg-deb could not make ${basename(file)}: ${stderr.trim()}`);
  return file;
}
