// SPDX-License-Identifier: MIT
// The files of the dashboard, as clients ask for them.
#include "scene.h"

#include "api/asset.h"

static void get(const char *path, const char *name, const char *value)
{
    char line[192];
    (void)snprintf(line, sizeof line, "GET %s", path);
    fake_request(&fake, &server, line, NULL);
    if (name != NULL) {
        fake_field(&fake, name, value);
    }
    fake_handle(&fake, &server);
}

static void assert_body(struct sp_slice bytes)
{
    assert_int_equal(fake.body.size, bytes.size);
    assert_memory_equal(fake.body.data, bytes.data, bytes.size);
}

static void each_file_has_its_type_and_tag(void **state)
{
    char path[128];
    char tag[64];
    (void)state;
    assert_true(sp_assets_count > 2);
    for (size_t i = 0; i < sp_assets_count; i++) {
        const struct sp_asset *asset = &sp_assets[i];
        (void)snprintf(path, sizeof path, "/assets/%s", asset->name);
        get(path, NULL, NULL);
        assert_int_equal(fake.status, 200);
        assert_string_equal(fake.type, asset->type);
        assert_body(asset->plain);
        (void)snprintf(tag, sizeof tag, "etag: %s\n", asset->tag);
        assert_field(tag);
        assert_field("content-security-policy: default-src 'self'; ");
        assert_field("x-content-type-options: nosniff\n");
        assert_field("cache-control: no-cache\n");
        assert_null(strstr(fake.fields, "content-encoding"));
    }
}

static void a_file_that_is_not_there_is_not_found(void **state)
{
    (void)state;
    get("/assets/nothing.js", NULL, NULL);
    assert_holds(404, "the dashboard has no file of that name");
    get("/assets/..%2Findex.html", NULL, NULL);
    assert_int_equal(fake.status, 404);
}

struct coding {
    const char *said;
    bool packed;
};

static const struct coding codings[] = {
    {"gzip", true},
    {"gzip, deflate, br", true},
    {"br , GZIP ;q=0.1", true},
    {"gzip;q=1.0", true},
    {"gzip;q=0", false},
    {"gzip; q=0.000", false},
    {"br, deflate", false},
    {"x-gzips", false},
    {"identity, *", false},
    {",,;", false},
    {"", false},
};

static void gzip_is_for_those_who_take_it(void **state)
{
    const struct sp_asset *asset = sp_asset_find("index.html");
    (void)state;
    for (size_t i = 0; i < sizeof codings / sizeof codings[0]; i++) {
        get("/assets/index.html", "accept-encoding", codings[i].said);
        assert_body(codings[i].packed ? asset->packed : asset->plain);
        const bool said = strstr(fake.fields, "content-encoding: gzip\n") != NULL;
        assert_int_equal(said, codings[i].packed);
    }
}

static void who_has_the_file_is_told_so(void **state)
{
    char tags[128];
    const struct sp_asset *asset = sp_asset_find("index.html");
    (void)state;
    get("/assets/index.html", "if-none-match", asset->tag);
    assert_answer(304, "");
    assert_field("etag: W/");
    (void)snprintf(tags, sizeof tags, "\"other\", %s", asset->tag);
    get("/assets/index.html", "if-none-match", tags);
    assert_answer(304, "");
    get("/assets/index.html", "if-none-match", "*");
    assert_answer(304, "");
    get("/assets/index.html", "if-none-match", "W/\"other\"");
    assert_int_equal(fake.status, 200);
}

static void browsers_get_the_page_and_others_the_paths(void **state)
{
    (void)state;
    get("/",
        "accept",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
    assert_body(sp_asset_find("index.html")->plain);
    assert_string_equal(fake.type, "text/html; charset=utf-8");
    get("/", "accept", "*/*");
    assert_holds(200, "GET /assets/{file}\n");
    assert_string_equal(fake.type, "text/plain; charset=utf-8");
    get("/", NULL, NULL);
    assert_holds(200, "GET /livez\n");
    get("/", "accept", "application/json");
    assert_holds(200, "GET /livez\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(each_file_has_its_type_and_tag),
        test(a_file_that_is_not_there_is_not_found),
        test(gzip_is_for_those_who_take_it),
        test(who_has_the_file_is_told_so),
        test(browsers_get_the_page_and_others_the_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
