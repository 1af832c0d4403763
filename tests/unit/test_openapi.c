/* openapi.json against the tables of the code: problems, events; and against itself: every
 * reference leads somewhere, every component is used. Its routes are held against those of the
 * binary by tests/e2e/test_openapi.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <jansson.h>

#include "api/problem.h"
#include "base/embedded.h"
#include "core/event.h"

/* Nothing here answers. */
void request_answer(struct request *request, const struct answer *answer)
{
    fail_msg("an answer of %d", answer->status);
}

static json_t *document;

static int set_up(void **state)
{
    for (const struct embedded *file = embedded_www; file->name; file++) {
        if (strcmp(file->name, "openapi.json") == 0)
            document = json_loadb(file->data, file->size, JSON_REJECT_DUPLICATES, NULL);
    }
    return document ? 0 : -1;
}

static int tear_down(void **state)
{
    json_decref(document);
    return 0;
}

/* The value at "#/a/b"; no part of ours holds an escape. */
static json_t *at(const char *pointer)
{
    json_t *value = document;
    struct span rest = span_text(pointer);
    span_cut(&rest, '/');
    while (value && rest.data) {
        struct span part = span_cut(&rest, '/');
        char name[128];
        assert_true(part.len < sizeof(name));
        snprintf(name, sizeof(name), "%.*s", SPAN_ARGS(part));
        value = json_object_get(value, name);
    }
    return value;
}

/* Calls `visit` for each reference in `value`. */
static void walk(json_t *value, void (*visit)(const char *pointer, void *context), void *context)
{
    const char *name;
    json_t *child;
    size_t index;
    if (json_is_object(value)) {
        json_object_foreach(value, name, child) {
            if (strcmp(name, "$ref") == 0)
                visit(json_string_value(child), context);
            walk(child, visit, context);
        }
    }
    json_array_foreach(value, index, child)
        walk(child, visit, context);
}

static void must_lead(const char *pointer, void *context)
{
    assert_non_null(pointer);
    if (!at(pointer))
        fail_msg("%s leads nowhere", pointer);
    json_object_set_new(context, pointer, json_true());
}

static void test_references(void **state)
{
    /* Not the responses: some are given by every route. */
    static const char *const kinds[] = {"schemas", "parameters", "headers"};
    json_t *used = json_object();
    walk(document, must_lead, used);
    for (size_t i = 0; i < array_count(kinds); i++) {
        char pointer[160];
        const char *name;
        json_t *component;
        snprintf(pointer, sizeof(pointer), "#/components/%s", kinds[i]);
        json_t *components = at(pointer);
        assert_true(json_object_size(components) > 0);
        json_object_foreach(components, name, component) {
            snprintf(pointer, sizeof(pointer), "#/components/%s/%s", kinds[i], name);
            if (!json_object_get(used, pointer))
                fail_msg("%s is used nowhere", pointer);
        }
    }
    json_decref(used);
}

static bool holds(json_t *texts, const char *text)
{
    size_t index;
    json_t *item;
    json_array_foreach(texts, index, item) {
        if (strcmp(json_string_value(item), text) == 0)
            return true;
    }
    return false;
}

/* Whether the response for this status names the code. */
static bool is_told(const char *code, int status)
{
    const char *name;
    json_t *response;
    json_object_foreach(at("#/components/responses"), name, response) {
        json_t *schema = json_object_get(
            json_object_get(json_object_get(response, "content"), "application/problem+json"),
            "schema");
        json_t *more = json_array_get(json_object_get(schema, "allOf"), 1);
        json_t *properties = json_object_get(more, "properties");
        json_t *is = json_object_get(json_object_get(properties, "status"), "const");
        json_t *codes = json_object_get(json_object_get(properties, "code"), "enum");
        if (json_integer_value(is) == status && holds(codes, code))
            return true;
    }
    return false;
}

static void test_problems(void **state)
{
    int count;
    const struct problem *table = problem_table(&count);
    json_t *codes = at("#/components/schemas/ProblemCode/enum");
    for (int i = 0; i < count; i++) {
        if (!holds(codes, table[i].code))
            fail_msg("the code %s is not described", table[i].code);
        if (!is_told(table[i].code, table[i].status))
            fail_msg("no response %d tells of %s", table[i].status, table[i].code);
    }
    size_t index;
    json_t *code;
    json_array_foreach(codes, index, code) {
        bool known = false;
        for (int i = 0; i < count; i++)
            known = known || strcmp(table[i].code, json_string_value(code)) == 0;
        if (!known)
            fail_msg("the code %s is none", json_string_value(code));
    }
}

/* The types that the server does not send yet: no feature behind them is there. */
static bool is_planned(enum event_type type)
{
    switch (type) {
    case EVENT_USER_DELETED:
    case EVENT_COMMAND_REFUSED:
        return true;
    default:
        return false;
    }
}

/* The `type` of an event's schema: a constant, or of custom events a pattern. */
static const char *type_of(json_t *schema)
{
    json_t *properties = json_object_get(schema, "properties");
    size_t index;
    json_t *part;
    json_array_foreach(json_object_get(schema, "allOf"), index, part) {
        if (json_object_get(json_object_get(part, "properties"), "type"))
            properties = json_object_get(part, "properties");
    }
    json_t *type = json_object_get(properties, "type");
    const char *constant = json_string_value(json_object_get(type, "const"));
    return constant ? constant : json_string_value(json_object_get(type, "pattern"));
}

static void test_events(void **state)
{
    json_t *listed = json_object();
    size_t index;
    json_t *item;
    json_array_foreach(at("#/components/schemas/Event/oneOf"), index, item) {
        const char *type = type_of(at(json_string_value(json_object_get(item, "$ref"))));
        assert_non_null(type);
        json_object_set_new(listed, type, json_true());
    }
    size_t known = 0;
    for (enum event_type type = EVENT_NONE + 1; type < EVENT_TYPE_COUNT; type++) {
        const char *name = type == EVENT_CUSTOM ? "^custom\\." : event_type_name(type);
        bool described = json_object_get(listed, name) != NULL;
        known += described;
        if (described == is_planned(type))
            fail_msg("the event %s is %s", name, described ? "described" : "not described");
    }
    assert_int_equal(json_object_size(listed), known);
    json_decref(listed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_events),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
