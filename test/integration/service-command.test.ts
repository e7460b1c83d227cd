import assert from "node:assert/strict";
import { appendFile, mkdir, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { unitText } from "../../agent/service/unit-text.ts";
import { AgentProcess } from "../lib/agent.ts";
import { framepost } from "../lib/command.ts";
import { tempFolder } from "../lib/temp.ts";

describe("framepost service", () => {
  it("prints the unit with the paths of this installation", async () => {
    const printed = await framepost(["service", "print", "-c", "/etc/framepost/other.yaml"]);
    const lines = printed.stdout.split("\n");
    const start = lines.find((line) => line.startsWith("ExecStart="));
    assert.match(
      start ?? "",
      new RegExp(`^ExecStart=${process.execPath} .*/dist/agent/main.js run -c /etc/framepost/other.yaml$`),
    );
    assert.ok(lines.includes("Type=notify"));
  });

  it("installs, keeps what was edited, and uninstalls", async () => {
    await using folder = await tempFolder();
    await mkdir(join(folder.path, "systemd/system"), { recursive: true });
    await mkdir(join(folder.path, "sysusers.d"));
    const unit = join(folder.path, "systemd/system/framepost.service");
    const end = async (...words: string[]) => {
      await using agent = new AgentProcess(["service", ...words, "--etc", folder.path]);
      const { code } = await agent.ended();
      return { code, said: agent.stderr.join("\n") };
    };
    const installed = await end("install");
    assert.equal(installed.code, 0, installed.said);
    assert.match(installed.said, /systemctl enable --now framepost/);
    assert.match(await readFile(join(folder.path, "sysusers.d/framepost.conf"), "utf8"), /^u framepost /m);
    assert.equal((await end("install")).code, 0);
    await appendFile(unit, "# mine\n");
    const refused = await end("install");
    assert.equal(refused.code, 1);
    assert.match(refused.said, /--force replaces it.*SERVICE_EXISTS/);
    assert.equal((await end("uninstall")).code, 1);
    assert.match(await readFile(unit, "utf8"), /# mine/);
    assert.equal((await end("install", "--force")).code, 0);
    assert.equal((await end("uninstall")).code, 0);
    await assert.rejects(readFile(unit), /ENOENT/);
  });

  it("says clearly that it needs root", async () => {
    await using folder = await tempFolder();
    await mkdir(join(folder.path, "systemd"));
    // Root is refused there too.
    await symlink("/sys/kernel", join(folder.path, "systemd/system"));
    await using agent = new AgentProcess(["service", "install", "--etc", folder.path]);
    assert.equal((await agent.ended()).code, 1);
    assert.match(agent.stderr.join("\n"), /run this command with sudo \(SERVICE_DENIED\)/);
  });

  it("writes what systemd would read otherwise so that it does not", () => {
    const shipped = "ExecStart=/usr/bin/framepost run -c /etc/framepost/framepost.yaml\n";
    const places = { node: "/opt/my node/node", program: "/opt/50%/$HOME/main.js", config: '/srv/a"b.yaml' };
    assert.equal(
      unitText(shipped, places),
      'ExecStart="/opt/my node/node" /opt/50%%/$$HOME/main.js run -c "/srv/a\\"b.yaml"\n',
    );
  });
});
