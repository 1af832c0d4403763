/**
 * Makes a readable page of /openapi.json (OpenAPI 3.1): routes, events, errors, shapes.
 *
 * It knows the parts of OpenAPI that the description uses: `$ref`, `allOf`, `oneOf`, `const`,
 * `enum`; what it does not know is shown as JSON rather than left out.
 */
const SAMPLE_ORIGIN = 'http://127.0.0.1:8080';
let api = null;

/** An element; `…children` may be texts, elements, arrays of both, or null. */
function h(name, attributes, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes ?? {})) {
        element.setAttribute(key, value);
    }
    element.append(...children.flat(Infinity).filter(child => child !== null
        && child !== undefined));
    return element;
}

/** Text in which `this` is code. */
function prose(text) {
    return (text ?? '').split(/`([^`]+)`/).map((part, at) => (at % 2 ? h('code', {}, part) : part));
}

const slug = text => text.replace(/[^A-Za-z0-9]+/g, '-').replace(/^-|-$/g, '').toLowerCase();
const nameOf = ref => ref.split('/').pop();

function resolve(value) {
    return value?.$ref
        ? value.$ref.slice(2).split('/').reduce((place, key) => place[key], api) : value;
}

// ---- Schemas -------------------------------------------------------------------------------

/** All properties of an object schema, with those of `allOf`: [{name, schema, required}]. */
function fieldsOf(given) {
    const schema = resolve(given) ?? {};
    const required = new Set(schema.required);
    const fields = (schema.allOf ?? []).flatMap(fieldsOf);
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
        fields.push({ name, schema: property, required: required.has(name) });
    }
    return fields;
}

/** A type in words: `text`, `array of Member`, `"public" | "private"`. */
function typeOf(schema) {
    if (!schema || Object.keys(schema).length === 0) {
        return 'any JSON';
    }
    if (schema.$ref) {
        const name = nameOf(schema.$ref);
        return fieldsOf(schema).length ? h('a', { href: `#shape-${name}` }, name)
            : [typeOf(resolve(schema))];
    }
    if (schema.allOf) {
        const more = fieldsOf({ properties: schema.allOf[1]?.properties }).map(({ name }) => name);
        return [typeOf(schema.allOf[0]),
            more.length ? [' with ', h('code', {}, more.join(', '))] : ''];
    }
    if (schema.const !== undefined) {
        return h('code', {}, JSON.stringify(schema.const));
    }
    if (schema.enum) {
        return schema.enum.length > 8 ? 'text'
            : schema.enum.flatMap((value, at) => [at ? ' | ' : '', h('code', {}, String(value))]);
    }
    if (schema.type === 'array') {
        return ['array of ', typeOf(schema.items)];
    }
    return { string: 'text', integer: 'integer', number: 'number', boolean: 'true | false',
        object: 'object' }[schema.type] ?? JSON.stringify(schema);
}

function boundsOf(given) {
    const schema = resolve(given?.allOf?.length === 1 ? given.allOf[0] : given) ?? {};
    const words = [];
    if (schema.minimum !== undefined || schema.maximum !== undefined) {
        words.push(`${schema.minimum ?? ''}–${schema.maximum ?? ''}`);
    }
    if (schema.minLength || schema.maxLength) {
        words.push(`${schema.minLength ?? 0}–${schema.maxLength ?? ''} characters`);
    }
    if (schema.maxItems) {
        words.push(`at most ${schema.maxItems}`);
    }
    if (schema.default !== undefined) {
        words.push(`default ${JSON.stringify(schema.default)}`);
    }
    return words.length ? h('small', {}, ` ${words.join(', ')}`) : null;
}

function table(head, rows) {
    return h('div', { class: 'scroll' }, h('table', {},
        h('thead', {}, h('tr', {}, head.map(text => h('th', { scope: 'col' }, text)))),
        h('tbody', {}, rows)));
}

function fieldTable(given) {
    const rows = fieldsOf(given).map(({ name, schema, required }) => h('tr', {},
        h('td', {}, h('code', {}, required ? name : `${name}?`)),
        h('td', {}, typeOf(schema), boundsOf(schema)),
        h('td', {}, prose(schema.description ?? resolve(schema).description))));
    return rows.length ? table(['member', 'type', ''], rows) : null;
}

// ---- Routes --------------------------------------------------------------------------------

function parameterTable(parameters) {
    const rows = parameters.map(resolve).map(parameter => h('tr', {},
        h('td', {}, h('code', {}, parameter.name)),
        h('td', {}, parameter.in),
        h('td', {}, typeOf(parameter.schema), boundsOf(parameter.schema)),
        h('td', {}, prose(parameter.description))));
    return rows.length
        ? [h('h4', {}, 'Parameters'), table(['name', 'in', 'type', ''], rows)] : null;
}

function bodySection(body) {
    const schema = resolve(body)?.content?.['application/json']?.schema;
    return schema ? [h('h4', {}, 'Body'), fieldTable(schema)] : null;
}

function answerSection(responses) {
    const rows = [];
    const errors = [];
    for (const [status, given] of Object.entries(responses)) {
        if (given.$ref) {
            if (status !== 'default') {
                errors.push(errors.length ? ', ' : '',
                    h('a', { href: `#error-${status}` }, status));
            }
            continue;
        }
        const content = Object.entries(given.content ?? {})[0];
        rows.push(h('tr', {}, h('td', {}, h('code', {}, status)),
            h('td', {}, content ? content[0] === 'application/json' ? typeOf(content[1].schema)
                : content[0] : ''),
            h('td', {}, prose(given.description))));
    }
    return [h('h4', {}, 'Answers'), table(['status', 'body', ''], rows),
        errors.length ? h('p', { class: 'soft' }, 'Errors: ', errors) : null];
}

function accessOf(operation) {
    const security = operation.security ?? api.security;
    return security.length === 0 || security.some(each => Object.keys(each).length === 0)
        ? h('span', { class: 'tag plain' }, 'no token') : null;
}

function operationSection({ method, path, operation, shared }) {
    const id = operation.operationId;
    const samples = (operation['x-codeSamples'] ?? []).map(sample =>
        h('pre', { tabindex: '0' }, h('code', {}, sample.source.replaceAll(SAMPLE_ORIGIN,
            location.origin))));
    return h('section', { 'aria-labelledby': id },
        h('h3', { id }, h('span', { class: `method ${method}` }, method.toUpperCase()), path, ' ',
            accessOf(operation)),
        h('p', {}, h('b', {}, operation.summary, '. '), prose(operation.description)),
        parameterTable([...shared, ...(operation.parameters ?? [])]),
        bodySection(operation.requestBody),
        answerSection(operation.responses), samples);
}

function operations() {
    const methods = ['get', 'post', 'put', 'patch', 'delete'];
    return Object.entries(api.paths).flatMap(([path, item]) =>
        methods.filter(method => item[method]).map(method =>
            ({ method, path, operation: item[method], shared: item.parameters ?? [] })));
}

function routes() {
    const all = operations();
    return api.tags.map(tag => {
        const ours = all.filter(each => each.operation.tags?.includes(tag.name));
        return {
            title: tag.description.replace(/\.$/, ''),
            links: ours.map(({ method, path, operation }) => h('a',
                { href: `#${operation.operationId}`, title: operation.summary },
                h('span', { class: `method ${method}` }, method.toUpperCase()),
                path.replace('/v1/', ''))),
            body: ours.map(operationSection),
        };
    });
}

// ---- Events, errors, shapes ----------------------------------------------------------------

function events() {
    const all = (api.components.schemas.Event?.oneOf ?? []).map(({ $ref }) => {
        const fields = fieldsOf({ $ref });
        const type = resolve(fields.find(({ name }) => name === 'type').schema);
        const id = fields.find(({ name }) => name === 'id');
        return { $ref, type: type.const ?? 'custom.*', lasting: id?.required || type.pattern
            || nameOf($ref) === 'NewMessage' };
    });
    return {
        title: 'Events',
        links: all.map(({ type }) => h('a', { href: `#event-${slug(type)}` }, type)),
        body: [
            h('p', {}, prose('The `data:` of a block, and an entry of `events` in a long-poll. '
                + 'Durable events stand in the journal, have an `id` and can be resumed; '
                + 'the others tell of the stream itself or of the moment.')),
            all.map(({ $ref, type, lasting }) => [
                h('h3', { id: `event-${slug(type)}` }, type, ' ',
                    h('span', { class: lasting ? 'tag' : 'tag plain' },
                        lasting ? 'durable' : 'ephemeral')),
                h('p', {}, prose(resolve({ $ref }).description)),
                fieldTable({ $ref }),
            ]),
        ],
    };
}

/** {status, description, codes} of the responses that are problems. */
function problems() {
    return Object.values(api.components.responses).flatMap(response => {
        const schema = response.content?.['application/problem+json']?.schema;
        const fields = fieldsOf(schema);
        const status = fields.find(({ schema: each }) => each.const >= 400)?.schema.const;
        const codes = fields.findLast(({ name }) => name === 'code')?.schema.enum ?? [];
        return status ? [{ status, codes, description: response.description }] : [];
    }).sort((a, b) => a.status - b.status);
}

function errors() {
    return {
        title: 'Errors',
        links: [h('a', { href: '#part-errors' }, 'by status'),
            h('a', { href: '/errors' }, 'by code')],
        body: [
            h('p', {}, prose('Every error is `application/problem+json` (RFC 9457): '
                + '`{type, title, status, code, detail, field?, requestId}`. Branch on `code`; '
                + '`detail` is for people and may change. On `429` and `503` wait as '
                + '`Retry-After` says, then repeat with the same `messageId`.')),
            table(['status', 'codes', ''], problems().map(({ status, codes, description }) =>
                h('tr', { id: `error-${status}` }, h('td', {}, h('code', {}, String(status))),
                    h('td', {}, codes.flatMap((code, at) => [at ? ' ' : '',
                        h('code', { id: `code-${code}` }, code)])),
                    h('td', {}, prose(description))))),
        ],
    };
}

function shapes() {
    const eventNames = new Set((api.components.schemas.Event?.oneOf ?? [])
        .map(({ $ref }) => nameOf($ref)));
    const all = Object.keys(api.components.schemas).filter(name => !eventNames.has(name)
        && fieldsOf(api.components.schemas[name]).length > 0);
    return {
        title: 'Shapes',
        links: all.map(name => h('a', { href: `#shape-${name}` }, name)),
        body: all.map(name => [
            h('h3', { id: `shape-${name}` }, name),
            h('p', {}, prose(api.components.schemas[name].description)),
            fieldTable(api.components.schemas[name]),
        ]),
    };
}

// ---- The page ------------------------------------------------------------------------------

async function main() {
    const lead = document.getElementById('description');
    try {
        api = await (await fetch('/openapi.json')).json();
    } catch (error) {
        lead.textContent = `The description could not be read: ${error.message}`;
        return;
    }
    lead.replaceChildren(...prose(api.info.description).flat());
    for (const { title, links, body } of [...routes(), events(), errors(), shapes()]) {
        document.getElementById('contents').append(h('h2', {}, title), ...links);
        document.getElementById('body').append(h('h2', { id: `part-${slug(title)}` }, title),
            ...body.flat(Infinity).filter(Boolean));
    }
    if (location.hash) { // the browser looked for it before it was there
        document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
    }
}

main();
