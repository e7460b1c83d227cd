import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority of a test's own, made by the openssl program in `folder`. */
export async function makeAuthority(folder: string, name: string): Promise<CertificateFiles> {
  const files = { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
  const subject = ["-subj", `/CN=${name}`];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await run("openssl", ["req", "-x509", ...curve, ...subject, "-days", "2", "-keyout", files.key, "-out", files.cert]);
  return files;
}

/** `subjectAltName` for example `IP:127.0.0.1`. `expired` ends its validity in the past. */
export async function makeCertificate(
  folder: string,
  name: string,
  authority: CertificateFiles,
  options: { readonly subjectAltName: string; readonly expired?: boolean },
): Promise<CertificateFiles> {
  const files = { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
  const request = join(folder, `${name}.csr`);
  const extensions = join(folder, `${name}.ext`);
  await writeFile(extensions, `subjectAltName=${options.subjectAltName}\n`);
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await run("openssl", ["req", ...curve, "-subj", `/CN=${name}`, "-keyout", files.key, "-out", request]);
  // A negative number of days is how openssl x509 makes a certificate that is over.
  const days = options.expired === true ? "-1" : "2";
  const signer = ["-CA", authority.cert, "-CAkey", authority.key, "-CAcreateserial", "-days", days];
  await run("openssl", ["x509", "-req", "-in", request, ...signer, "-extfile", extensions, "-out", files.cert]);
  return files;
}
