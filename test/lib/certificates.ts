import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const openssl = async (folder: string, ...args: string[]) => {
  await promisify(execFile)("openssl", args, { cwd: folder });
};

/** A certificate authority, and `server` and `client` certificates of it, as `<name>.crt` and `<name>.key`. */
export async function makeCertificates(folder: string): Promise<{ readonly file: (name: string) => string }> {
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const root = ["-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=Test CA"];
  await openssl(folder, "req", "-x509", ...newKey, ...root);
  await writeFile(join(folder, "names"), "subjectAltName=IP:127.0.0.1,DNS:broker.test\n");
  for (const name of ["server", "client"]) {
    await openssl(folder, "req", ...newKey, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
    const signed = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names"];
    await openssl(folder, "x509", "-req", "-in", `${name}.csr`, "-out", `${name}.crt`, ...signed);
  }
  return { file: (name) => join(folder, name) };
}
