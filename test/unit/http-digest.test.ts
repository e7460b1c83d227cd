import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { parseChallenges } from "../../src/capture/http/challenge.ts";
import {
  basicAuthorization,
  digestAuthorization,
  strongestDigest,
  type DigestChallenge,
} from "../../src/capture/http/digest.ts";
import { Login } from "../../src/capture/http/login.ts";
import { seededRandom } from "../lib/seams.ts";

const mufasa = { username: "Mufasa", password: "Circle of Life" };

function digestOf(header: string): DigestChallenge {
  const challenge = strongestDigest(parseChallenges(header));
  assert(challenge !== undefined, header);
  return challenge;
}

function field(authorization: string, name: string): string | undefined {
  return new RegExp(`[ ,]${name}="?([^",]*)`).exec(authorization)?.[1];
}

describe("challenges of a server", () => {
  it("are told apart, whether in one header or joined", () => {
    const text =
      'Basic realm="a, b=c", charset="UTF-8", Negotiate abc==, DIGEST nonce=n,Realm="q\\"u\\\\o" , qop="auth,auth-int"';
    const read = parseChallenges(text).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
    assert.deepEqual(read, [
      ["basic", { realm: "a, b=c", charset: "UTF-8" }],
      ["negotiate", { abc: "=" }],
      ["digest", { nonce: "n", realm: 'q"u\\o', qop: "auth,auth-int" }],
    ]);
  });

  it("end in nothing worse than nothing when they are rubbish", () => {
    for (const text of ["", ",,,", '"', '= "', "realm=x", `Digest ${"a".repeat(10_000)}="`, "\u00ff\u0000 Digest"]) {
      assert.equal(strongestDigest(parseChallenges(text)), undefined, text.slice(0, 20));
    }
    const begunMs = performance.now();
    parseChallenges(`Digest ${'x="\\'.repeat(4_000)}${",".repeat(4_000)}${" ".repeat(4_000)}`);
    assert.ok(performance.now() - begunMs < 200);
  });

  it("the strongest one that can be answered is taken, in any order and any case", () => {
    const offers = ["md5-SESS", "SHA-256", "sha-512-256", "SHA-1", "MD5"].map(
      (algorithm) => `Digest realm="r", nonce="${algorithm}", algorithm="${algorithm}"`,
    );
    assert.equal(digestOf(offers.join(", ")).nonce, "sha-512-256");
    assert.equal(digestOf(offers.toReversed().join(", ")).nonce, "sha-512-256");
    assert.equal(digestOf([offers[0], offers[3]].join(", ")).session, true);
    assert.equal(strongestDigest(parseChallenges(offers[3] ?? "")), undefined);
    assert.equal(strongestDigest(parseChallenges('Digest nonce="n", qop="auth-int"')), undefined);
    assert.equal(digestOf('Digest realm="r", nonce="n"').hash, "md5");
  });
});

describe("Digest answers", () => {
  const common =
    'Digest realm="http-auth@example.org", qop="auth, auth-int", nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"';
  const request = {
    method: "GET",
    uri: "/dir/index.html",
    count: 1,
    cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
  };

  it("are those of the examples in RFC 7616, section 3.9.1", () => {
    const answers = ["SHA-256", "MD5"].map((algorithm) =>
      digestAuthorization(digestOf(`${common}, algorithm=${algorithm}`), mufasa, request),
    );
    assert.deepEqual(
      answers.map((answer) => field(answer, "response")),
      ["753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1", "8ca523f5e9506fed4657c9700eebdbec"],
    );
    const [first = ""] = answers;
    assert.match(first, /^Digest username="Mufasa", realm="http-auth@example\.org", nonce="7ypf/);
    assert.match(first, /, algorithm=SHA-256, opaque="FQhe[^"]+", qop=auth, nc=00000001, cnonce="f2\/wE[^"]+"$/);
  });

  it("are that of the example in RFC 2617, section 3.5", () => {
    const challenge = digestOf(
      'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"',
    );
    const answer = digestAuthorization(
      challenge,
      { username: "Mufasa", password: "Circle Of Life" },
      { ...request, cnonce: "0a4f113b" },
    );
    assert.equal(field(answer, "response"), "6629fae49393a05397450978507c4ef1");
    assert.equal(field(answer, "algorithm"), undefined);
  });

  it("carry a hashed user name in UTF-8 where the server asks for one, as in RFC 7616, section 3.9.2, corrected", () => {
    const challenge = digestOf(
      'Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", charset=UTF-8, userhash=true',
    );
    const answer = digestAuthorization(
      challenge,
      { username: "J\u00e4s\u00f8n Doe", password: "Secret, or not?" },
      { method: "GET", uri: "/doe.json", count: 1, cnonce: "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v" },
    );
    // The RFC's own figures are of a SHA-512 cut short; erratum 4897 gives these.
    assert.equal(field(answer, "username"), "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b");
    assert.equal(field(answer, "response"), "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5");
    assert.equal(field(answer, "userhash"), "true");
  });

  it("leave out counter and client nonce where the server knows none", () => {
    const answer = digestAuthorization(digestOf('Digest realm="r", nonce="n"'), mufasa, request);
    assert.doesNotMatch(answer, /cnonce|nc=|qop|algorithm|opaque/);
    const session = digestAuthorization(digestOf('Digest realm="r", nonce="n", algorithm=MD5-sess'), mufasa, request);
    assert.match(session, /cnonce=/);
    assert.notEqual(field(session, "response"), field(answer, "response"));
  });

  it("escape names, and write those beyond ASCII as the server reads them", () => {
    const user = { username: 'a"b\\c\u00fc', password: "x" };
    const plain = digestAuthorization(digestOf('Digest realm="q\\"", nonce="n"'), user, request);
    assert.ok(plain.includes('username="a\\"b\\\\c\u00c3\u00bc", realm="q\\""'), plain);
    const utf8 = digestAuthorization(digestOf('Digest realm="r", nonce="n", charset=UTF-8'), user, request);
    assert.ok(utf8.includes("username*=UTF-8''a%22b%5Cc%C3%BC"), utf8);
    assert.equal(basicAuthorization({ username: "test", password: "123\u00a3" }), "Basic dGVzdDoxMjPCow==");
  });
});

describe("the login at a camera", () => {
  const url = new URL("http://camera/shot.jpg?ch=1");
  const digest = (nonce: string, more = "") => `Digest realm="r", nonce="${nonce}", qop="auth"${more}`;
  const login = () => new Login(mufasa, seededRandom(1));
  const again = { kind: "again" };

  it("says nothing before it was asked, and nothing to another origin", () => {
    const subject = login();
    assert.equal(subject.authorization("GET", url), undefined);
    assert.deepEqual(subject.challenged('Basic realm="x"', false, url), again);
    assert.match(subject.authorization("GET", url) ?? "", /^Basic /);
    for (const other of ["https://camera/shot.jpg", "http://other/", "http://camera:81/"]) {
      assert.equal(subject.authorization("GET", new URL(other)), undefined);
    }
  });

  it("counts the uses of a nonce", () => {
    const subject = login();
    subject.challenged(digest("one"), false, url);
    const counts = [1, 2, 3].map(() => field(subject.authorization("GET", url) ?? "", "nc"));
    assert.deepEqual(counts, ["00000001", "00000002", "00000003"]);
    assert.equal(field(subject.authorization("GET", url) ?? "", "uri"), "/shot.jpg?ch=1");
  });

  it("takes a new nonce when the old one is stale, and goes on with it", () => {
    const subject = login();
    subject.challenged(digest("one"), false, url);
    assert.deepEqual(subject.challenged(digest("two", ", stale=TRUE"), true, url), again);
    subject.passed();
    assert.equal(field(subject.authorization("GET", url) ?? "", "nonce"), "two");
  });

  it("keeps no nonce of a camera that refuses used ones without a word", () => {
    const subject = login();
    subject.challenged(digest("one"), false, url);
    assert.deepEqual(subject.challenged(digest("two"), true, url), again);
    assert.equal(field(subject.authorization("GET", url) ?? "", "nonce"), "two");
    subject.passed();
    assert.equal(subject.authorization("GET", url), undefined);
  });

  it("gives up where the same question comes back, and then says nothing until asked anew", () => {
    for (const header of ['Basic realm="x"', digest("one")]) {
      const subject = login();
      subject.challenged(header, false, url);
      const verdict = subject.challenged(header, true, url);
      assert.deepEqual(verdict, { kind: "refused", why: "the user name or the password is wrong" });
      assert.equal(subject.authorization("GET", url), undefined);
    }
  });

  it("says what it cannot do", () => {
    const nobody = new Login(undefined, seededRandom(1));
    assert.match(JSON.stringify(nobody.challenged('Basic realm="x"', false, url)), /none is configured/);
    assert.match(JSON.stringify(login().challenged("Bearer", false, url)), /not supported \(bearer\)/);
    assert.match(JSON.stringify(login().challenged("", false, url)), /does not say which/);
  });
});
