/**
 * A Ctrl-C reaches the whole terminal group, and some service managers' SIGTERM the whole service: when this process ends
 * is the main process's decision, which closes the channel. Imported first: to load the runtime takes half a second.
 */
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);
