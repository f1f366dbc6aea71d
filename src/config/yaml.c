// SPDX-License-Identifier: MIT
// Loads one YAML document. libyaml builds the tree with a stack of its own, so depth
// costs no C stack here; but an alias may point at a node it stands in, so every walk
// of the tree is bounded.
#include "config/yaml.h"

#include <string.h>

#include "base/check.h"

#define MARK "\xef\xbb\xbf" // of the byte order

size_t sp_yaml_line(const yaml_node_t *node)
{
    return node->start_mark.line + 1;
}

yaml_node_t *sp_yaml_node(struct sp_yaml *yaml, int id)
{
    yaml_node_t *node = yaml_document_get_node(&yaml->document, id);
    SP_CHECK(node != NULL);
    return node;
}

// The line of a byte that libyaml's reader did not like; it counts no lines itself.
static size_t line_at(const char *text, size_t offset)
{
    size_t line = 1;
    for (size_t i = 0; i < offset; i++) {
        line += text[i] == '\n';
    }
    return line;
}

static snakepit_err syntax_problem(const yaml_parser_t *parser,
                                   const char *text,
                                   const struct sp_place *place)
{
    struct sp_place where = *place;
    const char *problem = parser->problem != NULL ? parser->problem : "unknown reason";
    if (parser->error == YAML_READER_ERROR) {
        where.line = line_at(text, parser->problem_offset);
        return sp_problem(&where, "not YAML: %s", problem);
    }
    where.line = parser->problem_mark.line + 1;
    size_t column = parser->problem_mark.column + 1;
    if (parser->context == NULL) {
        return sp_problem(&where, "not YAML: %s in column %zu", problem, column);
    }
    return sp_problem(&where,
                      "not YAML: %s in column %zu, %s that begins on line %zu",
                      problem,
                      column,
                      parser->context,
                      parser->context_mark.line + 1);
}

// The error that stopped the parser.
static snakepit_err parser_problem(const yaml_parser_t *parser,
                                   const char *text,
                                   const struct sp_place *place)
{
    // libyaml mostly says so when memory runs out; where it says nothing it was that
    // too.
    bool full = parser->error == YAML_MEMORY_ERROR || parser->error == YAML_NO_ERROR;
    return full ? SNAKEPIT_NO_MEMORY : syntax_problem(parser, text, place);
}

static snakepit_err load_one(yaml_parser_t *parser,
                             yaml_document_t *document,
                             const char *text,
                             const struct sp_place *place)
{
    return yaml_parser_load(parser, document) ? SNAKEPIT_OK
                                              : parser_problem(parser, text, place);
}

// Whatever follows the first document.
static snakepit_err
load_end(yaml_parser_t *parser, const char *text, const struct sp_place *place)
{
    yaml_document_t second;
    snakepit_err err = load_one(parser, &second, text, place);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    const yaml_node_t *root = yaml_document_get_root_node(&second);
    struct sp_place where = *place;
    where.line = root != NULL ? sp_yaml_line(root) : 0;
    yaml_document_delete(&second);
    return root == NULL
               ? SNAKEPIT_OK
               : sp_problem(&where, "a second document begins here, expected only one");
}

static snakepit_err load_with(yaml_parser_t *parser,
                              struct sp_yaml *yaml,
                              const char *text,
                              const struct sp_place *place)
{
    snakepit_err err = load_one(parser, &yaml->document, text, place);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    yaml->loaded = true;
    yaml->root = yaml_document_get_root_node(&yaml->document);
    if (yaml->root == NULL) {
        return sp_problem(place,
                          "there is nothing in it, expected a map of keys and values");
    }
    return load_end(parser, text, place);
}

// How deep and how tangled a text is.
struct extent {
    unsigned depth;
    unsigned anchors;
};

static bool is_anchored(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return event->data.scalar.anchor != NULL;
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.anchor != NULL;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.anchor != NULL;
    default:
        return false;
    }
}

static snakepit_err check_event(const yaml_event_t *event,
                                struct extent *extent,
                                const struct sp_place *place)
{
    bool opens = event->type == YAML_SEQUENCE_START_EVENT ||
                 event->type == YAML_MAPPING_START_EVENT;
    bool closes =
        event->type == YAML_SEQUENCE_END_EVENT || event->type == YAML_MAPPING_END_EVENT;
    struct sp_place where = *place;
    where.line = event->start_mark.line + 1;
    extent->depth += opens;
    extent->depth -= closes;
    extent->anchors += is_anchored(event);
    if (extent->depth > SP_YAML_NESTING_MAX) {
        return sp_problem(&where,
                          "expected at most %u maps and lists within each other",
                          SP_YAML_NESTING_MAX);
    }
    if (extent->anchors > SP_YAML_ITEMS_MAX) {
        return sp_problem(&where, "expected at most %u anchors", SP_YAML_ITEMS_MAX);
    }
    return SNAKEPIT_OK;
}

// Goes through the text once before a tree is made of it: libyaml takes time quadratic
// in depth and in the number of anchors, but reads no further than it is asked to.
static snakepit_err
check_extent(yaml_parser_t *parser, const char *text, const struct sp_place *place)
{
    struct extent extent = {0};
    snakepit_err err = SNAKEPIT_OK;
    for (bool more = true; err == SNAKEPIT_OK && more;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            return parser_problem(parser, text, place);
        }
        more = event.type != YAML_STREAM_END_EVENT;
        err = check_event(&event, &extent, place);
        yaml_event_delete(&event);
    }
    return err;
}

static bool start(yaml_parser_t *parser, const char *text, size_t bytes)
{
    if (!yaml_parser_initialize(parser)) {
        return false;
    }
    // libyaml, told the encoding, takes the mark of some editors for text.
    if (bytes >= strlen(MARK) && memcmp(text, MARK, strlen(MARK)) == 0) {
        text += strlen(MARK);
        bytes -= strlen(MARK);
    }
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(parser, (const unsigned char *)text, bytes);
    return true;
}

snakepit_err sp_yaml_load(struct sp_yaml *yaml,
                          const char *text,
                          size_t bytes,
                          const struct sp_place *place)
{
    *yaml = (struct sp_yaml){0};
    text = text != NULL ? text : "";
    if (bytes > SP_YAML_BYTES_MAX) {
        return sp_problem(place, "longer than %u bytes", SP_YAML_BYTES_MAX);
    }
    yaml_parser_t parser;
    if (!start(&parser, text, bytes)) {
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_err err = check_extent(&parser, text, place);
    yaml_parser_delete(&parser);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    if (!start(&parser, text, bytes)) {
        return SNAKEPIT_NO_MEMORY;
    }
    err = load_with(&parser, yaml, text, place);
    yaml_parser_delete(&parser);
    return err;
}

void sp_yaml_fini(struct sp_yaml *yaml)
{
    if (yaml->loaded) {
        yaml_document_delete(&yaml->document);
    }
    *yaml = (struct sp_yaml){0};
}

bool sp_yaml_is_quoted(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE &&
           node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
}

bool sp_yaml_is_null(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE || sp_yaml_is_quoted(node)) {
        return false;
    }
    const char *text = (const char *)node->data.scalar.value;
    return text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 ||
           strcmp(text, "Null") == 0 || strcmp(text, "NULL") == 0;
}

const char *sp_yaml_describe(const yaml_node_t *node, char text[SP_QUOTED_MAX])
{
    if (node->type == YAML_SEQUENCE_NODE) {
        return "a list";
    }
    if (node->type == YAML_MAPPING_NODE) {
        return "a map";
    }
    return sp_yaml_is_null(node)
               ? "nothing"
               : sp_quote((const char *)node->data.scalar.value, text);
}

// Untagged nodes get the tags of the core schema; any other was written out.
static bool has_foreign_tag(const yaml_node_t *node)
{
    static const char *const core[] = {
        YAML_STR_TAG,
        YAML_MAP_TAG,
        YAML_SEQ_TAG,
        YAML_INT_TAG,
        YAML_BOOL_TAG,
        YAML_FLOAT_TAG,
    };
    for (size_t i = 0; i < sizeof(core) / sizeof(core[0]); i++) {
        if (node->tag != NULL && strcmp((const char *)node->tag, core[i]) == 0) {
            return false;
        }
    }
    return true;
}

static snakepit_err check_node(const yaml_node_t *node, const struct sp_place *place)
{
    if (has_foreign_tag(node)) {
        char shown[SP_QUOTED_MAX];
        return sp_problem(place,
                          "expected a value without a tag, got the tag %s",
                          sp_quote((const char *)node->tag, shown));
    }
    if (node->type == YAML_SCALAR_NODE &&
        strlen((const char *)node->data.scalar.value) != node->data.scalar.length) {
        return sp_problem(place, "expected a text without zero bytes");
    }
    return SNAKEPIT_OK;
}

snakepit_err sp_yaml_text(const yaml_node_t *node,
                          const char *expected,
                          const struct sp_place *place,
                          const char **text)
{
    snakepit_err err = check_node(node, place);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    if (node->type != YAML_SCALAR_NODE || sp_yaml_is_null(node)) {
        char shown[SP_QUOTED_MAX];
        return sp_problem(
            place, "expected %s, got %s", expected, sp_yaml_describe(node, shown));
    }
    *text = (const char *)node->data.scalar.value;
    return SNAKEPIT_OK;
}

const yaml_node_t *
sp_yaml_value(struct sp_yaml *yaml, const yaml_node_t *node, const char *key)
{
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         key != NULL && pair < node->data.mapping.pairs.top;
         pair++) {
        const yaml_node_t *name = sp_yaml_node(yaml, pair->key);
        if (name->type == YAML_SCALAR_NODE &&
            strcmp((const char *)name->data.scalar.value, key) == 0) {
            return sp_yaml_node(yaml, pair->value);
        }
    }
    return NULL;
}

snakepit_err sp_yaml_check_count(const yaml_node_t *node, const struct sp_place *place)
{
    bool map = node->type == YAML_MAPPING_NODE;
    size_t count =
        map ? (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start)
            : (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    if (count > SP_YAML_ITEMS_MAX) {
        return sp_problem(place,
                          "expected at most %u %s, got %zu",
                          SP_YAML_ITEMS_MAX,
                          map ? "keys" : "items",
                          count);
    }
    return check_node(node, place);
}

static snakepit_err check_unique(struct sp_yaml *yaml,
                                 const yaml_node_t *node,
                                 const yaml_node_pair_t *pair,
                                 const struct sp_place *place)
{
    const yaml_node_t *key = sp_yaml_node(yaml, pair->key);
    for (const yaml_node_pair_t *other = node->data.mapping.pairs.start; other < pair;
         other++) {
        const yaml_node_t *first = sp_yaml_node(yaml, other->key);
        if (first->data.scalar.length == key->data.scalar.length &&
            strcmp((const char *)first->data.scalar.value,
                   (const char *)key->data.scalar.value) == 0) {
            return sp_problem(
                place, "given twice; the first is on line %zu", sp_yaml_line(first));
        }
    }
    return SNAKEPIT_OK;
}

snakepit_err sp_yaml_check_map(struct sp_yaml *yaml,
                               const yaml_node_t *node,
                               const struct sp_place *place)
{
    SP_CHECK(node->type == YAML_MAPPING_NODE);
    snakepit_err err = sp_yaml_check_count(node, place);
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         err == SNAKEPIT_OK && pair < node->data.mapping.pairs.top;
         pair++) {
        const yaml_node_t *key = sp_yaml_node(yaml, pair->key);
        struct sp_place where = *place;
        where.line = sp_yaml_line(key);
        const char *text = NULL;
        err = sp_yaml_text(key, "a text as key", &where, &text);
        if (err == SNAKEPIT_OK) {
            where = sp_place_key(place, text, where.line);
            err = check_unique(yaml, node, pair, &where);
        }
    }
    return err;
}
