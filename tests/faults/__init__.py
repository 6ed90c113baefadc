"""Whatever breaks, the exporter says so, lasts, and goes on: each fault of the list, and the test that shows it.

Faults that are shown elsewhere stay there; `test_list.py` holds that each test named here exists, with its case. What
concerns certificates is in `tests/web`.

no socket:
    fail2ban/test_faults.py
    test_a_path_at_fault_costs_one_probe_and_no_more[missing]
a file that is no socket:
    fail2ban/test_faults.py
    test_a_path_at_fault_costs_one_probe_and_no_more[a_file]
refused:
    fail2ban/test_faults.py
    test_a_path_at_fault_costs_one_probe_and_no_more[left_behind]
no permission:
    fail2ban/test_faults.py
    test_a_socket_that_may_not_be_opened_says_what_to_do
accepts and says nothing:
    fail2ban/test_faults.py
    FAULTS[says nothing]
a byte a second:
    fail2ban/test_faults.py
    FAULTS[a byte a second]
garbage:
    fail2ban/test_faults.py
    FAULTS[garbage]
truncated:
    fail2ban/test_faults.py
    FAULTS[truncated]
a reply that never ends:
    fail2ban/test_faults.py
    FAULTS[a reply that never ends]
an error reply:
    fail2ban/test_faults.py
    FAULTS[an error reply]
closes at once:
    fail2ban/test_faults.py
    FAULTS[closes at once]
a pickle that would run code:
    fail2ban/test_faults.py
    test_a_server_that_would_run_code_here_runs_none
a pickle that hashes for ever:
    fail2ban/test_faults.py
    FAULTS[hashes for ever]
a jail list that is empty:
    fail2ban/test_client.py
    test_no_jails_are_a_success_with_none
1,000 jails:
    fail2ban/test_faults.py
    test_a_host_of_many_jails_takes_little_memory_and_time
odd names of jails:
    fail2ban/test_client.py
    test_a_jail_of_any_name_is_told
fail2ban restarted:
    integration/test_exits.py
    test_a_clean_restart_counts_one_clean_exit_and_one_restart
fail2ban killed, started at once:
    integration/test_exits.py
    test_killed_and_started_again_within_a_second_counts_one_exit_and_one_restart
reloaded with 20,000 bans:
    faults/test_fail2ban.py
    test_a_reload_with_20000_bans_is_no_outage
stopped (SIGSTOP) and continued:
    integration/test_exits.py
    test_a_frozen_server_is_unresponsive_and_not_dead_and_is_online_once_it_goes_on
the socket's folder removed:
    integration/test_exits.py
    test_a_folder_removed_as_systemd_removes_it_never_leads_to_a_wrong_verdict
log and socket folder replaced:
    faults/test_fail2ban.py
    test_folders_of_logs_and_socket_that_are_replaced_are_followed
a log file deleted or rotated:
    integration/test_files.py
    test_a_log_file_that_is_taken_away_is_missing_until_another_one_is_there
a log file deleted while fail2ban is stopped:
    integration/test_files.py
    test_while_fail2ban_is_stopped_its_log_files_are_still_looked_at
a log file replaced by a FIFO, a folder, a link to nothing:
    files/test_log_files.py
    test_there_is_what_lines_can_be_read_from
the folder of the logs gone:
    integration/test_files.py
    test_a_folder_that_is_gone_takes_the_log_files_of_all_jails_with_it
the folder of the logs may not be entered:
    files/test_log_files.py
    test_a_file_in_a_folder_that_may_not_be_entered_is_not_missing
the file system of the logs hangs:
    integration/test_files.py
    test_a_file_system_that_hangs_holds_up_neither_probes_nor_scrapes_nor_the_end
the database written all the time:
    integration/test_files.py
    test_while_fail2ban_bans_its_database_is_counted_all_the_time_and_no_write_of_it_fails
the database damaged:
    files/test_sqlite_file.py
    test_any_damage_is_a_number_or_an_error_in_time
the socket's folder mounted late:
    faults/test_fail2ban.py
    test_a_folder_that_is_mounted_late_is_found
two exporters on one fail2ban:
    faults/test_fail2ban.py
    test_two_exporters_on_one_fail2ban_say_the_same
file descriptors exhausted:
    faults/test_system.py
    test_without_descriptors_it_says_so_of_itself_and_nothing_of_fail2ban
the same by clients:
    web/test_slow_connections.py
    test_without_a_descriptor_left_it_serves_at_the_cost_of_idle_connections
disk full for the state file:
    test_state_file.py
    test_a_full_disk_is_told_once_counted_each_time_keeps_the_old_file_and_is_told_when_it_works
no room for it, without root:
    faults/test_system.py
    test_a_limit_on_files_is_as_a_full_disk
disk full, the whole program:
    faults/test_system.py
    test_on_a_full_disk_it_goes_on_and_counts_what_it_could_not_write
clock jumped (a fake one):
    test_state_file.py
    test_in_the_same_boot_a_wall_clock_that_jumped_moves_nothing
clock jumped (libfaketime):
    faults/test_system.py
    test_a_clock_that_jumps_moves_timestamps_and_nothing_else
settings file broken at reload:
    integration/test_program.py
    test_sighup_takes_over_new_settings_and_keeps_the_old_ones_if_they_are_faulty
database of countries missing:
    geoip/test_database.py
    test_one_that_is_not_there_is_said
the same, unreadable:
    integration/test_geoip.py
    test_a_database_that_may_not_be_read_is_a_clear_error
the same, corrupt:
    geoip/test_helper.py
    test_no_corrupt_database_does_more_than_kill_the_helper
the same, replaced while in use:
    integration/test_geoip.py
    test_counts_follow_the_bans_and_a_replaced_database_and_stay_with_the_old_one_while_the_new_is_broken
the same, cut to nothing while in use:
    geoip/test_database.py
    test_one_that_is_cut_to_nothing_while_it_is_in_use_is_in_use_still
SIGHUP storms:
    faults/test_signals.py
    test_a_storm_of_sighup_costs_no_scrape_and_leaves_nothing_behind
SIGTERM at any moment:
    faults/test_signals.py
    test_sigterm_at_any_moment_ends_it_with_status_0_and_the_state_written
SIGTERM while a probe hangs:
    integration/test_program.py
    test_sigterm_ends_it_with_status_0_while_a_probe_hangs
"""
