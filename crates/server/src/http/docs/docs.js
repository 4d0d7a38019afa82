"use strict";

// Renders /api/v1/openapi.json. Text goes into the page as text, never as markup.

const METHODS = ["get", "put", "post", "patch", "delete"];
const DEPTH_MAX = 6;
let api;

/** An element with attributes and children; a string is text. */
function el(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") {
      element.addEventListener(key, value);
    } else if (value !== undefined && value !== false) {
      element.setAttribute(key, value === true ? "" : value);
    }
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null));
  return element;
}

/** Text in which `pieces` between backquotes are code. */
function prose(text) {
  return (text || "").split("`").map((piece, n) => (n % 2 ? el("code", null, piece) : piece));
}

function resolve(schema) {
  if (!schema || !schema.$ref) return schema || {};
  const parts = schema.$ref.split("/").slice(1);
  return parts.reduce((at, part) => (at || {})[part], api) || {};
}

/** The type of a schema in words. */
function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  const any = schema.oneOf || schema.anyOf || schema.allOf;
  if (any) return any.map(typeOf).filter((word) => word !== "null").join(" or ");
  if (schema.enum) return schema.enum.map((word) => JSON.stringify(word)).join(" or ");
  const types = [schema.type].flat().filter((type) => type && type !== "null");
  if (types.includes("array")) return "list of " + typeOf(schema.items || {});
  return types.join(" or ") || "any";
}

/** The properties of a schema, with those of the schemas in it below each. */
function properties(schema, depth = 0) {
  const found = resolve(schema);
  const inner = [found.items, ...(found.oneOf || found.anyOf || [])].filter(Boolean);
  if (!found.properties) {
    const nested = inner.map((one) => properties(one, depth)).filter(Boolean);
    return nested.length ? el("div", null, nested) : null;
  }
  const required = new Set(found.required || []);
  const rows = Object.entries(found.properties).map(([name, property]) => {
    const text = property.description || resolve(property).description;
    const deeper = depth < DEPTH_MAX ? properties(property, depth + 1) : null;
    return el("tr", null,
      el("td", null, el("code", null, name), required.has(name) ? "" : el("small", null, " optional")),
      el("td", null, typeOf(property)),
      el("td", null, prose(text), deeper && el("details", null, el("summary", null, "Its fields"), deeper)));
  });
  return el("table", null,
    el("thead", null, el("tr", null, ["Field", "Type", "Meaning"].map((head) => el("th", null, head)))),
    el("tbody", null, rows));
}

function parameters(list) {
  const rows = list.map((parameter) => el("tr", null,
    el("td", null, el("code", null, parameter.name), parameter.required ? "" : el("small", null, " optional")),
    el("td", null, parameter.in),
    el("td", null, typeOf(parameter.schema || {})),
    el("td", null, prose(parameter.description))));
  return [el("h4", null, "Parameters"), el("table", null,
    el("thead", null, el("tr", null, ["Name", "In", "Type", "Meaning"].map((head) => el("th", null, head)))),
    el("tbody", null, rows))];
}

function responses(all) {
  const rows = Object.entries(all).map(([status, response]) => {
    const content = Object.entries(response.content || {});
    const isProblem = content.some(([kind]) => kind === "application/problem+json");
    const fields = isProblem ? [] : content.map(([, { schema }]) => properties(schema)).filter(Boolean);
    const lines = (response.description || "").split("\n").map((line) => el("div", null, linked(line, isProblem)));
    return el("tr", null, el("td", null, status), el("td", null, lines,
      fields.length ? el("details", null, el("summary", null, "Its fields"), fields) : null));
  });
  return [el("h4", null, "Answers"), el("table", null, el("tbody", null, rows))];
}

/** A line of a refusal, its code as a link to what it means. */
function linked(line, isProblem) {
  const code = isProblem && line.split("`")[1];
  if (!code) return prose(line);
  return [el("a", { href: "#" + code }, el("code", null, code)), ...prose(line.slice(code.length + 2))];
}

/** A form that makes the call and shows what came. */
function tryIt(path, list) {
  const inputs = list.filter((parameter) => parameter.in !== "header").map((parameter) => {
    const hint = parameter.example === undefined ? "" : [parameter.example].flat().join(", ");
    const shown = parameter.in === "path" ? decodeURIComponent(String(hint)) : hint;
    const input = el("input", { name: parameter.name, placeholder: shown, required: parameter.required });
    return { parameter, input };
  });
  const output = el("pre", { hidden: true, "aria-live": "polite" });
  const submit = async (event) => {
    event.preventDefault();
    let url = path;
    const query = new URLSearchParams();
    for (const { parameter, input } of inputs) {
      if (parameter.in === "path") {
        url = url.replace("{" + parameter.name + "}", encodeURIComponent(input.value));
      } else if (input.value !== "") {
        const isList = [(parameter.schema || {}).type].flat().includes("array");
        const values = isList ? input.value.split(",") : [input.value];
        values.forEach((value) => query.append(parameter.name, value.trim()));
      }
    }
    if (query.size) url += "?" + query;
    output.hidden = false;
    output.textContent = "…";
    try {
      const answer = await fetch(url);
      const text = await answer.text();
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* No JSON: as it is. */ }
      output.textContent = `GET ${url}\n${answer.status} ${answer.statusText}\n\n${shown}`;
    } catch (error) {
      output.textContent = `GET ${url}\n${error}`;
    }
  };
  const labels = inputs.map(({ parameter, input }) => el("label", null, el("span", null, parameter.name), input));
  return el("form", { submit }, labels, el("button", { type: "submit" }, "Try it"), output);
}

function operation(path, method, call) {
  const list = call.parameters || [];
  const body = call.requestBody && Object.values(call.requestBody.content)[0];
  const isEndless = Object.values(call.responses).some((r) => (r.content || {})["text/event-stream"]);
  return el("details", { id: "call-" + call.operationId },
    el("summary", null,
      el("span", { class: "method " + method }, method.toUpperCase()),
      el("span", { class: "path" }, path),
      el("span", { class: "gist" }, call.summary || "")),
    el("p", null, prose(call.description)),
    list.length ? parameters(list) : null,
    body ? [el("h4", null, "Body"), properties(body.schema)] : null,
    responses(call.responses),
    method === "get" && !isEndless ? tryIt(path, list) : null);
}

function open() {
  const target = document.getElementById(location.hash.slice(1));
  if (target && target.tagName === "DETAILS") target.open = true;
  if (target) target.scrollIntoView();
}

async function main() {
  const answer = await fetch("/api/v1/openapi.json");
  if (!answer.ok) throw new Error(`openapi.json: ${answer.status}`);
  api = await answer.json();
  document.getElementById("version").textContent = api.info.version;
  document.getElementById("about").prepend(...prose(api.info.description), " ");
  const groups = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((method) => item[method])) {
      const tag = (item[method].tags || ["other"])[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push([path, method, item[method]]);
    }
  }
  const links = el("ul");
  for (const [tag, calls] of groups) {
    const shown = calls.map(([path, method, call]) => {
      links.append(el("li", null, el("a", { href: "#call-" + call.operationId }, call.summary || path)));
      return operation(path, method, call);
    });
    document.getElementById("calls").append(el("section", null, el("h2", null, tag), shown));
  }
  document.getElementById("nav").append(links);
  addEventListener("hashchange", open);
  open();
}

main().catch((error) => {
  document.getElementById("calls").append(el("p", { role: "alert" }, String(error)));
});
