//! All tests that run beside the contract suite, in one binary: each further one would be linked
//! with the whole gateway.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

#[cfg(feature = "lexpr")]
mod accounts_scenario;
mod argo;
mod argo_commands;
mod argo_limits;
mod argo_support;
mod check_config;
mod cli;
mod client_virsh;
mod client_xm300;
mod config_files;
mod damaged;
mod docs;
mod engine;
mod engine_faults;
mod engine_foreign;
mod engine_support;
#[path = "../contract/failing_sender.rs"]
mod failing_sender;
mod full_disk;
mod hostile_answers;
mod hostile_memory;
mod hostile_places;
mod hostile_work;
mod house;
mod http_accounts;
mod http_accounts_support;
mod http_caller;
mod http_console;
mod http_conversation;
mod http_events;
mod http_guest;
mod http_hostile;
mod http_json;
mod http_login;
mod http_mistakes;
mod http_pages;
mod http_replay;
mod http_restart;
mod http_screen;
mod http_support;
mod killed;
mod legacy_support;
mod libxl_messages;
mod managed;
mod manuals;
mod metrics;
mod metrics_support;
mod migration;
mod migration_encrypted;
mod names;
mod old_clients;
mod packages;
mod parity;
#[path = "../support/process.rs"]
mod process;
mod proxy_support;
mod recorded_support;
mod rights_by_wire;
mod rights_core;
mod rights_leaks;
mod rights_leaks_wires;
mod rights_rules;
mod rights_support;
mod rights_table;
mod rights_wires;
mod server_accounts;
mod server_connections;
mod server_guard;
mod server_http;
mod server_identity;
mod server_listen;
mod server_process;
mod server_support;
mod sim_devices;
mod sim_guest_agent;
mod sim_host;
mod sim_memory;
mod sim_persistence;
mod sim_scheduler;
mod sim_support;
mod sxp_cases;
#[cfg(feature = "lexpr")]
mod sxp_lexpr;
mod sxp_properties;
mod sxp_support;
mod terminal_support;
mod tls_support;
mod units;
mod users_command;
mod websocket_support;
mod xenapi_support;
mod xend_416;
mod xm_commands;
mod xm_config;
mod xm_config_properties;
mod xm_console;
mod xm_devices;
mod xm_progress;
mod xm_recorded;
mod xm_scripts;
mod xm_statuses;
mod xm_support;
mod xm_xendomains;
mod xm_xendomains_failures;
mod xm_xendomains_support;
mod xmlrpc_accounts;
mod xmlrpc_accounts_objects;
mod xmlrpc_accounts_references;
mod xmlrpc_accounts_support;
mod xmlrpc_legacy;
mod xmlrpc_legacy_devices;
mod xmlrpc_listeners;
mod xmlrpc_objects;
mod xmlrpc_xenapi;
mod xmlrpc_xenapi_caller;
mod xmlrpc_xenapi_calls;
mod xmlrpc_xenapi_clients;
mod xmlrpc_xenapi_errors;
mod xmlrpc_xenapi_events;
mod xmlrpc_xenapi_guest;
mod xmlrpc_xenapi_guest_data;
mod xmlrpc_xenapi_guest_support;
mod xmlrpc_xenapi_passwords;
mod xmlrpc_xenapi_records;
mod xmlrpc_xenapi_stop;
mod xmlrpc_xenapi_tasks;
mod xmlrpc_xm;
