import type { Tokens } from "./tokens.ts";
import type { WebApp } from "./ports.ts";
import { loginPath } from "./request-shape.ts";

/** The only page that whoever does not know the token can see, and the only form there is. */
export function loginRoutes(app: WebApp, tokens: Tokens | undefined): void {
  app.get(loginPath, (context) => (tokens === undefined ? context.redirect("/", 303) : context.html(page(""))));
  app.post(loginPath, async (context) => {
    if (tokens === undefined) return context.redirect("/", 303);
    const typed = new URLSearchParams(await context.req.text()).get("token") ?? "";
    switch (tokens.check(typed.trim(), context.env.incoming)) {
      case "right":
        context.header("set-cookie", tokens.setCookie());
        return context.redirect("/", 303);
      case "wrong":
        return context.html(page("This is not the token."), 401);
      case "limited":
        for (const [name, value] of Object.entries(tokens.later.headers ?? {})) context.header(name, value);
        return context.html(page("Too many wrong tokens; wait a little."), 429);
    }
  });
  app.post("/logout", (context) => {
    if (tokens !== undefined) context.header("set-cookie", tokens.clearCookie());
    return context.body(null, 204);
  });
}

function page(problem: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Framepost: log in</title>
<link rel="stylesheet" href="/static/page.css">
</head>
<body class="login">
<main>
<h1>Framepost</h1>
<form method="post" action="${loginPath}">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button type="submit">Log in</button>
</form>
<p role="alert">${problem}</p>
</main>
</body>
</html>
`;
}
