// SPDX-License-Identifier: MIT
// grpc.reflection.v1, and v1alpha, which is the same. What it shows is made of the
// tables that the codec works by.
#include <string.h>

#include "grpc/messages.h"
#include "protobuf/descriptor.h"
#include "server/server.h"
#include "services/call.h"
#include "services/message.h"

#define FILES_MOST    16u // a file, and all that it imports
#define SERVICES_MOST 16u

// The numbers of the oneofs.
enum {
    BY_FILENAME = 3,
    BY_SYMBOL = 4,
    BY_EXTENSION = 5,
    EXTENSIONS_OF_TYPE = 6,
    LIST_SERVICES = 7,
    FILES = 4,
    NUMBERS = 5,
    SERVICES = 6,
    FAILED = 7,
};

// One answer, and what it borrows from.
struct answer {
    const struct sp_serve_config *config;
    struct sp_reflection_response response;
    struct sp_reflection_files files;
    struct sp_reflection_numbers numbers;
    struct sp_reflection_services services;
    struct sp_reflection_error error;
    struct sp_slice texts[FILES_MOST];
    struct sp_buf descriptors[FILES_MOST];
    struct sp_reflection_service names[SERVICES_MOST];
};

static void fail(struct answer *answer, enum sp_grpc_code code, const char *message)
{
    answer->error.error_code = (int32_t)code;
    answer->error.error_message = sp_slice_of_text(message);
    answer->response.which = FAILED;
    answer->response.error_response = &answer->error;
}

// ---- Files ----------------------------------------------------------------------

static bool is_same(struct sp_slice text, const char *other)
{
    return text.size == strlen(other) && memcmp(text.data, other, text.size) == 0;
}

static const struct sp_proto_file *find_file(struct sp_slice path)
{
    size_t i = 0;
    while (sp_files[i] != NULL && !is_same(path, sp_files[i]->path)) {
        i++;
    }
    return sp_files[i];
}

static const struct sp_proto_file *find_symbol(struct sp_slice symbol)
{
    size_t i = 0;
    while (sp_files[i] != NULL && !sp_proto_file_declares(sp_files[i], symbol)) {
        i++;
    }
    return sp_files[i];
}

static bool holds(const struct sp_proto_file *const *list,
                  size_t count,
                  const struct sp_proto_file *file)
{
    size_t i = 0;
    while (i < count && list[i] != file) {
        i++;
    }
    return i < count;
}

static size_t add(const struct sp_proto_file *list[FILES_MOST],
                  size_t count,
                  const struct sp_proto_file *file)
{
    if (count < FILES_MOST && !holds(list, count, file)) {
        list[count++] = file;
    }
    return count;
}

// The file first, then what it imports, and what that imports.
static size_t with_imports(const struct sp_proto_file *file,
                           const struct sp_proto_file *list[FILES_MOST])
{
    size_t count = add(list, 0, file);
    for (size_t at = 0; at < count; at++) {
        const struct sp_proto_file *const *import = list[at]->imports;
        for (; import != NULL && *import != NULL; import++) {
            count = add(list, count, *import);
        }
    }
    return count;
}

static void show_file(struct answer *answer, const struct sp_proto_file *file)
{
    const struct sp_proto_file *list[FILES_MOST];
    if (file == NULL) {
        fail(answer, SP_GRPC_NOT_FOUND, "there is no such file or symbol");
        return;
    }
    const size_t count = with_imports(file, list);
    for (size_t i = 0; i < count; i++) {
        struct sp_buf *out = &answer->descriptors[i];
        if (sp_proto_describe(list[i], out) != SNAKEPIT_OK) {
            fail(answer, SP_GRPC_RESOURCE_EXHAUSTED, "there is no memory");
            return;
        }
        answer->texts[i] = (struct sp_slice){out->data, out->size};
    }
    answer->files.file_descriptor_proto.items = answer->texts;
    answer->files.file_descriptor_proto.count = count;
    answer->response.which = FILES;
    answer->response.file_descriptor_response = &answer->files;
}

// ---- The rest -------------------------------------------------------------------

static void list_services(struct answer *answer)
{
    const char *name;
    size_t count = 0;
    for (size_t i = 0; count < SERVICES_MOST && (name = sp_grpc_service_at(i)) != NULL;
         i++) {
        const struct sp_slice shown = sp_slice_of_text(name);
        if (sp_grpc_is_served(answer->config, shown)) {
            answer->names[count++].name = shown;
        }
    }
    answer->services.service.items = answer->names;
    answer->services.service.count = count;
    answer->response.which = SERVICES;
    answer->response.list_services_response = &answer->services;
}

// There are no extensions.
static void list_extensions(struct answer *answer, struct sp_slice type)
{
    if (find_symbol(type) == NULL) {
        fail(answer, SP_GRPC_NOT_FOUND, "there is no such type");
        return;
    }
    answer->numbers.base_type_name = type;
    answer->response.which = NUMBERS;
    answer->response.all_extension_numbers_response = &answer->numbers;
}

static void fill(struct answer *answer, const struct sp_reflection_request *request)
{
    switch (request->which) {
    case BY_FILENAME:
        show_file(answer, find_file(request->file_by_filename));
        break;
    case BY_SYMBOL:
        show_file(answer, find_symbol(request->file_containing_symbol));
        break;
    case BY_EXTENSION:
        fail(answer, SP_GRPC_NOT_FOUND, "there are no extensions");
        break;
    case EXTENSIONS_OF_TYPE:
        list_extensions(answer, request->all_extension_numbers_of_type);
        break;
    case LIST_SERVICES:
        list_services(answer);
        break;
    default:
        fail(answer, SP_GRPC_INVALID_ARGUMENT, "the request asks for nothing");
        break;
    }
}

static void send_answer(struct sp_grpc_call *call,
                        struct sp_reflection_request *request)
{
    struct answer answer = {
        .config = sp_serve_loop_config(call->exchange->loop),
        .response = {.valid_host = request->host, .original_request = request}};
    struct sp_buf frame = {0};
    fill(&answer, request);
    if (sp_grpc_append(&frame, &sp_type_reflection_response, &answer.response) ==
        SNAKEPIT_OK) {
        (void)sp_grpc_send(call, (struct sp_slice){frame.data, frame.size});
    } else {
        sp_grpc_finish(call, SP_GRPC_RESOURCE_EXHAUSTED, "there is no memory");
    }
    sp_buf_fini(&frame);
    for (size_t i = 0; i < FILES_MOST; i++) {
        sp_buf_fini(&answer.descriptors[i]);
    }
}

static void on_message(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_scratch scratch = {.limit = message.size * 2 + 4096};
    struct sp_reflection_request request = {.which = 0};
    snakepit_message why = {{0}};
    snakepit_err err =
        sp_proto_decode(&sp_type_reflection_request, message, &scratch, &request, &why);
    if (err == SNAKEPIT_OK) {
        send_answer(call, &request);
    } else {
        sp_grpc_finish(call, SP_GRPC_INTERNAL, why.text);
    }
    sp_scratch_fini(&scratch);
}

void sp_grpc_reflection(struct sp_grpc_call *call, struct sp_slice message)
{
    static const struct sp_grpc_holder holder = {.message = on_message};
    (void)message;
    sp_grpc_hold(call, &holder);
}
