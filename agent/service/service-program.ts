import { type Command, Option } from "commander";
import type { ServiceOptions } from "../commands/service.ts";
import type { ContextOf, Finish } from "../program.ts";

/** `service …`: the systemd unit of an installation by npm. Its code is imported when it runs. */
export function addServiceCommands(program: Command, contextOf: ContextOf, finish: Finish): void {
  const service = program.command("service").description("the systemd service, where framepost was installed by npm");
  const etc = (): Option => new Option("--etc <folder>", "in place of /etc").hideHelp();
  const force = "also when the unit was edited";
  service
    .command("print")
    .description("the unit, with the paths of this installation")
    .action(async (_options: object, command: Command) => {
      const { servicePrint } = await import("../commands/service.ts");
      await finish(servicePrint(contextOf(command)));
    });
  service
    .command("install")
    .description("writes the unit and its user, and says what to run next; needs root")
    .option("--force", force)
    .addOption(etc())
    .action(async (options: ServiceOptions, command: Command) => {
      const { serviceInstall } = await import("../commands/service.ts");
      await finish(serviceInstall(contextOf(command), options));
    });
  service
    .command("uninstall")
    .description("takes the unit away; config, data and user stay; needs root")
    .option("--force", force)
    .addOption(etc())
    .action(async (options: ServiceOptions, command: Command) => {
      const { serviceUninstall } = await import("../commands/service.ts");
      await finish(serviceUninstall(contextOf(command), options));
    });
  service
    .command("status")
    .description("whether it is installed, and what systemd says of it; exit 1 where it does not run")
    .addOption(etc())
    .action(async (options: ServiceOptions, command: Command) => {
      const { serviceStatus } = await import("../commands/service.ts");
      await finish(serviceStatus(contextOf(command), options));
    });
}
