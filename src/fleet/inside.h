// SPDX-License-Identifier: MIT
// What the files that carry out a plan share. Loop thread.
#ifndef FLEET_INSIDE_H
#define FLEET_INSIDE_H

#include "fleet/fleet.h"

#define SP_REASON_MAX 1280u

// ---- act.c --------------------------------------------------------------------

// Carries out the last step. Returns the event that answers it, or NOTHING; its texts
// are in `why`.
struct sp_fleet_event sp_fleet_act(struct sp_fleet *fleet, snakepit_message *why);

// ---- shape.c ------------------------------------------------------------------

// Frees them.
void sp_fleet_free_posts(struct sp_fleet *fleet);
// Shows what the pool runs as, in its stats.
void sp_fleet_show_shape(struct sp_fleet *fleet);
// Takes the spec in place of the one that it has.
void sp_fleet_set_spec(struct sp_fleet *fleet, struct sp_fleet_spec *spec);
// Makes the pool one of so many processes, as the plan orders it after a fallback.
// NO_MEMORY.
snakepit_err sp_fleet_reshape(struct sp_fleet *fleet, uint32_t size);
// Takes the spec, and returns the event that tells the plan of it; NOTHING, and the
// spec is freed: there is no memory for its posts. For what is done in a step;
// otherwise it is sp_fleet_respec().
struct sp_fleet_event sp_fleet_take_spec(struct sp_fleet *fleet,
                                         struct sp_fleet_spec *spec,
                                         bool roll,
                                         enum sp_recycle why);

// ---- code.c -------------------------------------------------------------------

// The next workers are the first of their kind: their code is what is on disk now.
void sp_code_begin(struct sp_fleet *fleet);
// A worker is ready: it may tell where its code came from.
void sp_code_take(struct sp_fleet *fleet, const struct sp_worker *worker);

// ---- health.c -----------------------------------------------------------------

// The worker of a place has a seat: its health is looked at from now on, if the pool
// and its adapter want that.
void sp_health_begin(struct sp_occupant *occupant);
// The same after each check, while it has its seat.
void sp_health_go_on(struct sp_occupant *occupant);
// It is gone.
void sp_health_end(struct sp_occupant *occupant);
// Notes how a check has ended. False: that says nothing about the worker.
bool sp_health_note(struct sp_occupant *occupant,
                    snakepit_err err,
                    const snakepit_fault *fault);
// It died while it ran a check: until one ends by itself, those of the pool begin later
// and one at a time.
void sp_health_killed(struct sp_occupant *occupant);
// "unknown", "healthy" or "unhealthy".
const char *sp_health_status(const struct sp_health *health);

// ---- figures.c ----------------------------------------------------------------

// A worker is ready: the first look at it.
void sp_figures_begin(struct sp_occupant *occupant, const struct sp_worker *worker);
// A worker is ready: its start is a span, where calls are traced (start_span.c).
void sp_fleet_trace_start(const struct sp_fleet *fleet, const struct sp_worker *worker);

// ---- slow.c -------------------------------------------------------------------

// Logs calls that run for longer than `slow_call_ms`, or did so until now.
void sp_slow_look(struct sp_fleet *fleet);

// ---- rows.c -------------------------------------------------------------------

// Gives the fleet rows for more places; copies those that there are. Takes `rows`.
void sp_fleet_replace_rows(struct sp_fleet *fleet,
                           struct sp_fleet_row *rows,
                           size_t count);
// A copy of a text that lives as long as the fleet; one for each different text. NULL:
// there is no memory for it, or no text. Loop thread.
const char *sp_fleet_keep(struct sp_fleet *fleet, const char *text);
void sp_fleet_free_kept(struct sp_fleet *fleet);
// How many workers another thread wants the pool to have; 0: none has said so. Says so
// once.
uint32_t sp_fleet_take_size(struct sp_fleet *fleet);
// Whether the worker of a place is to be replaced since another thread wants that. Says
// so once.
bool sp_fleet_take_wish(struct sp_fleet *fleet, uint32_t place);
// Copies what other threads may see of the worker of a place.
void sp_fleet_publish(struct sp_fleet *fleet, uint32_t place);
// What they may see of all workers together.
void sp_fleet_publish_pool(struct sp_fleet *fleet);
// Both, of all workers.
void sp_fleet_publish_all(struct sp_fleet *fleet);

// ---- deaths.c -----------------------------------------------------------------

// A worker's exit was observed.
void sp_fleet_note_death(struct sp_fleet *fleet, struct sp_worker *worker);

// ---- stacks.c -----------------------------------------------------------------

// Logs where the calls of a worker are that are stuck.
void sp_fleet_note_stuck(const struct sp_occupant *occupant);

// ---- notes.c ------------------------------------------------------------------

// Writes the line of the log that an action stands for.
void sp_fleet_note(const struct sp_fleet *fleet, const struct sp_fleet_action *action);
// Logs that the health of a worker has changed, or that a check has failed again.
void sp_fleet_note_health(const struct sp_occupant *occupant);
// Logs that checks have to wait, since one has taken its worker along.
void sp_fleet_note_check_pause(const struct sp_occupant *occupant, uint64_t ms);
// Logs that a worker is ready.
void sp_fleet_note_ready(struct sp_fleet *fleet, const struct sp_worker *worker);
// What is said of a pool that is down or has failed.
void sp_fleet_write_verdict(const struct sp_fleet *fleet,
                            const struct sp_fleet_action *action,
                            char *text,
                            size_t size);
// Why the program may not be able to stop its workers: its user is another one than
// when it started them, and new ones would have other rights. Returns `text`, or NULL:
// the user is the same.
const char *
sp_fleet_write_stranger(const struct sp_fleet *fleet, char *text, size_t size);

// ---- worker_spec.c ------------------------------------------------------------

// Fills in everything but the hooks, the template and `config`, for the worker of a
// post.
void sp_fleet_describe_worker(struct sp_fleet *fleet,
                              uint32_t post,
                              struct sp_worker_options *options);
// The same for a template.
void sp_fleet_describe_template(struct sp_fleet *fleet,
                                struct sp_template_options *options);
// The name of the pool's `devices` that the worker of a post is given; NULL: none.
const char *sp_fleet_device_of(const struct sp_fleet *fleet, uint32_t post);
// Writes what a worker (0: a template) is told first into fleet->first_message, with
// its device, if it has one; and into fleet->fork_message what it is told instead if
// the template forks it, empty where that is the same. NO_MEMORY.
snakepit_err sp_fleet_write_first_message(struct sp_fleet *fleet,
                                          uint64_t worker,
                                          const char *device);
// Why the start of a worker failed, in words.
void sp_fleet_describe_failure(struct sp_worker *worker, char *text, size_t size);

#endif
