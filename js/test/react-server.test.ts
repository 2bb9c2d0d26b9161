// React where there is no page: what is rendered connects nowhere.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { useChannelSocket, useChannelState, useEvent, useRequest } from "../src/react.js";

test("rendered on a server there is no client, and nobody is asked", () => {
  assert.equal(typeof globalThis.document, "undefined");
  const fail = (): never => assert.fail("it connects");
  function Page() {
    const chsk = useChannelSocket("http://localhost/chsk", { fetch: fail, WebSocket: fail as never, auth: fail });
    useEvent(chsk, "chat/said", fail);
    const [, { pending }] = useRequest(chsk, "chat/say");
    return `client ${chsk}, state ${useChannelState(chsk)}, pending ${pending}`;
  }
  assert.equal(renderToString(createElement(Page)), "client null, state null, pending false");
});
