import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { AgentError, errnoOf } from "../core/errors.ts";

/** As the config writes it: paths of PEM files. */
export interface TlsSettings {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Name to expect in the server's certificate. */
  readonly servername?: string | undefined;
  readonly insecureSkipVerify: boolean;
}

/** As node:tls, node:https and mqtt take them. */
export interface TlsOptions {
  readonly rejectUnauthorized: boolean;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
}

/** Reads and checks the PEM files. Fails with `TLS_CONFIG`, naming the file, never its content. */
export async function readTlsOptions(config: TlsSettings): Promise<TlsOptions> {
  const { ca, cert, key, servername } = config;
  if ((cert === undefined) !== (key === undefined)) {
    throw unusable("a client certificate needs both tls.cert and tls.key");
  }
  const files = {
    ...(ca === undefined ? {} : { ca: await certificateFile(ca) }),
    ...(cert === undefined ? {} : { cert: await certificateFile(cert) }),
    ...(key === undefined ? {} : { key: await keyFile(key) }),
  };
  if (files.cert !== undefined && files.key !== undefined) {
    if (!new X509Certificate(files.cert).checkPrivateKey(createPrivateKey(files.key))) {
      throw unusable(`the key in ${key ?? ""} does not belong to the certificate in ${cert ?? ""}`);
    }
  }
  return {
    rejectUnauthorized: !config.insecureSkipVerify,
    ...files,
    ...(servername === undefined ? {} : { servername }),
  };
}

async function certificateFile(path: string): Promise<string> {
  const pem = await pemFile(path);
  try {
    new X509Certificate(pem);
  } catch {
    throw unusable(`${path} holds no certificate in PEM form`);
  }
  return pem;
}

async function keyFile(path: string): Promise<string> {
  const pem = await pemFile(path);
  try {
    createPrivateKey(pem);
  } catch {
    throw unusable(`${path} holds no private key in PEM form, or one that needs a passphrase`);
  }
  return pem;
}

async function pemFile(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw unusable(`${path} cannot be read (${errnoOf(error) ?? "unknown error"})`);
  }
}

function unusable(what: string): AgentError {
  return new AgentError("TLS_CONFIG", `TLS settings: ${what}`, { disposition: "fatal" });
}
