// SPDX-License-Identifier: MIT
#include "support.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/un.h>

#include "config/address.h"

static struct sp_address parse(const char *text)
{
    struct sp_address address;
    snakepit_message why = {0};
    if (!sp_address_parse(text, "/srv/pit", &address, &why)) {
        fail_msg("%s: %s", text, why.text);
    }
    return address;
}

// A text, the one it is written as, what it is, and whether only this machine reaches
// it.
static const struct {
    const char *text;
    const char *written;
    enum sp_address_kind kind;
    bool local;
} rows[] = {
    {"127.0.0.1:8470", "127.0.0.1:8470", SP_ADDRESS_TCP4, true},
    {"127.1.2.3:1", "127.1.2.3:1", SP_ADDRESS_TCP4, true},
    {"localhost:8470", "127.0.0.1:8470", SP_ADDRESS_TCP4, true},
    {"0.0.0.0:0", "0.0.0.0:0", SP_ADDRESS_TCP4, false},
    {"192.168.1.7:65535", "192.168.1.7:65535", SP_ADDRESS_TCP4, false},
    {"[::1]:8470", "[::1]:8470", SP_ADDRESS_TCP6, true},
    {"[0:0:0:0:0:0:0:1]:8470", "[::1]:8470", SP_ADDRESS_TCP6, true},
    {"[::]:80", "[::]:80", SP_ADDRESS_TCP6, false},
    {"[fe80::1]:80", "[fe80::1]:80", SP_ADDRESS_TCP6, false},
    {"[::ffff:127.0.0.1]:80", "127.0.0.1:80", SP_ADDRESS_TCP4, true},
    {"[::ffff:8.8.8.8]:80", "8.8.8.8:80", SP_ADDRESS_TCP4, false},
    {"unix:/run/a.sock", "unix:/run/a.sock", SP_ADDRESS_UNIX, true},
    {"unix:a b.sock", "unix:/srv/pit/a b.sock", SP_ADDRESS_UNIX, true},
    {"systemd:http", "systemd:http", SP_ADDRESS_SYSTEMD, false},
    {"systemd:", "systemd:", SP_ADDRESS_SYSTEMD, false},
};

static void an_address_is_written_as_it_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[SP_ADDRESS_TEXT_MAX];
        struct sp_address address = parse(rows[i].text);
        sp_address_format(&address, text);
        assert_string_equal(text, rows[i].written);
        assert_int_equal(address.kind, rows[i].kind);
        assert_int_equal(sp_address_is_local(&address), rows[i].local);
        struct sp_address again = parse(text);
        assert_memory_equal(&again, &address, sizeof again);
    }
}

#define EXPECTED                                                       \
    "expected an address such as \"127.0.0.1:8470\", \"[::1]:8470\", " \
    "\"unix:/run/snakepit/http.sock\" or \"systemd:NAME\", got "
#define PORT "expected a port from 0 to 65535 behind the last colon, got "

static const struct {
    const char *text;
    const char *sentence;
} mistakes[] = {
    {"", EXPECTED "\"\""},
    {"8470", EXPECTED "8470"},
    {":8470", EXPECTED "\":8470\""},
    {"127.0.0.1", EXPECTED "\"127.0.0.1\""},
    {"[::1]", EXPECTED "\"[::1]\""},
    {"[::1", EXPECTED "\"[::1\""},
    {"[::1]8470", EXPECTED "\"[::1]8470\""},
    {"[127.0.0.1]:80", EXPECTED "\"[127.0.0.1]:80\""},
    {"[fe80::1%eth0]:80", EXPECTED "\"[fe80::1%eth0]:80\""},
    {"127.0.0.1:", PORT "\"\""},
    {"127.0.0.1:65536", PORT "65536"},
    {"127.0.0.1:-1", PORT "\"-1\""},
    {"127.0.0.1:http", PORT "\"http\""},
    {"[::1]:99999999999", PORT "99999999999"},
    {"::1:8470",
     "expected an IPv6 address in brackets, such as \"[::1]:8470\", got \"::1:8470\""},
    {"http://127.0.0.1:80",
     "expected an address without \"http://\", such as \"127.0.0.1:8470\", got "
     "\"http://127.0.0.1:80\""},
    {"example.com:80",
     "expected an address in numbers or localhost before the colon, got "
     "\"example.com\"; names are not looked up"},
    {"127.1:80",
     "expected an address in numbers or localhost before the colon, got "
     "\"127.1\"; names are not looked up"},
    {"*:80",
     "expected an address in numbers or localhost before the colon, got \"*\"; "
     "names are not looked up"},
    {"unix:", "expected the path of a socket behind \"unix:\", got nothing"},
    {"unix:@snakepit",
     "expected the path of a socket behind \"unix:\", got an abstract name, which "
     "anyone may connect to"},
    {"systemd:a:b",
     "expected a FileDescriptorName behind \"systemd:\", up to 255 characters without "
     "spaces and colons, got \"a:b\""},
    {"systemd:\xc3\xa4",
     "expected a FileDescriptorName behind \"systemd:\", up to 255 characters without "
     "spaces and colons, got \"\xc3\xa4\""},
};

static void each_mistake_has_its_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        struct sp_address address;
        snakepit_message why = {0};
        assert_false(sp_address_parse(mistakes[i].text, NULL, &address, &why));
        assert_string_equal(why.text, mistakes[i].sentence);
        assert_false(sp_address_parse(mistakes[i].text, NULL, &address, NULL));
    }
}

static void a_path_fits_the_kernel_or_is_refused(void **state)
{
    (void)state;
    char text[300] = "unix:";
    struct sp_address address;
    snakepit_message why = {0};
    memset(text + 5, 'x', 107);
    assert_true(sp_address_parse(text, NULL, &address, &why));
    assert_int_equal(strlen(address.name), 107);
    text[5 + 107] = 'x';
    assert_false(sp_address_parse(text, NULL, &address, &why));
    assert_string_equal(why.text,
                        "expected the path of a socket to have at most 107 bytes, "
                        "which is the limit of the kernel; this one has 108");
    text[5 + 105] = '\0';
    assert_true(sp_address_parse(text, "/", &address, &why));
    assert_false(sp_address_parse(text, "/srv", &address, &why));
    assert_string_equal(why.text,
                        "expected the path of a socket to have at most 107 bytes, "
                        "which is the limit of the kernel; with its folder it has "
                        "110");
    char name[300] = "systemd:";
    memset(name + 8, 'x', 255);
    assert_true(sp_address_parse(name, NULL, &address, &why));
    name[8 + 255] = 'x';
    assert_false(sp_address_parse(name, NULL, &address, &why));
}

static void without_a_folder_a_path_stays_relative(void **state)
{
    (void)state;
    struct sp_address address;
    assert_true(sp_address_parse("unix:a.sock", NULL, &address, NULL));
    assert_string_equal(address.name, "a.sock");
}

static void two_sockets_cannot_have_one_address(void **state)
{
    (void)state;
    static const struct {
        const char *a;
        const char *b;
        bool clash;
    } pairs[] = {
        {"127.0.0.1:80", "localhost:80", true},
        {"127.0.0.1:80", "127.0.0.1:81", false},
        {"127.0.0.1:80", "[::1]:80", false},
        {"127.0.0.1:0", "127.0.0.1:0", false},
        {"unix:a", "unix:/srv/pit/a", true},
        {"unix:a", "unix:b", false},
        {"systemd:a", "systemd:a", true},
        {"systemd:a", "systemd:b", false},
        {"systemd:a", "systemd:", true},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct sp_address a = parse(pairs[i].a);
        struct sp_address b = parse(pairs[i].b);
        assert_int_equal(sp_address_clashes(&a, &b), pairs[i].clash);
        assert_int_equal(sp_address_clashes(&b, &a), pairs[i].clash);
    }
}

// What the kernel gives back is what it was given.
static void an_address_becomes_a_socket_and_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sockaddr_storage socket;
        struct sp_address back;
        struct sp_address address = parse(rows[i].text);
        socklen_t length = sp_address_to_socket(&address, &socket);
        assert_int_equal(length == 0, address.kind == SP_ADDRESS_SYSTEMD);
        if (length > 0) {
            assert_true(sp_address_of_socket(&socket, length, &back));
            assert_memory_equal(&back, &address, sizeof back);
        }
    }
    struct sockaddr_storage unnamed = {.ss_family = AF_UNIX};
    struct sp_address back;
    assert_true(sp_address_of_socket(&unnamed, sizeof unnamed.ss_family, &back));
    assert_int_equal(back.kind, SP_ADDRESS_UNIX);
    assert_string_equal(back.name, "");
    unnamed.ss_family = AF_NETLINK;
    assert_false(sp_address_of_socket(&unnamed, sizeof unnamed, &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_written_as_it_is_read),
        cmocka_unit_test(each_mistake_has_its_sentence),
        cmocka_unit_test(a_path_fits_the_kernel_or_is_refused),
        cmocka_unit_test(without_a_folder_a_path_stays_relative),
        cmocka_unit_test(two_sockets_cannot_have_one_address),
        cmocka_unit_test(an_address_becomes_a_socket_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
