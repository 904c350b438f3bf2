// One line per command; each lives in the file of its name.
#pragma once

#include "cli/command.h"

namespace hone::cli {

Command profile_command();
Command diff_command();
Command zoo_command();
Command scale_command();
Command export_command();
Command check_command();
Command bench_command();
Command bench_scaling_command();
Command skip_list_command();
Command skip_apply_command();
Command skip_show_command();
Command search_command();
Command pick_command();
Command space_list_command();
Command space_show_command();
Command space_sample_command();
Command supernet_eval_command();
Command supernet_conflict_command();
Command supernet_report_command();
Command runs_command();
Command runs_show_command();
Command runs_compare_command();
Command data_show_command();
Command data_sheet_command();
Command data_convert_command();
Command data_questions_command();
Command data_tokenize_command();
Command data_vocabulary_command();
Command train_command();
Command eval_command();
Command index_command();
Command retrieve_command();
Command serve_command();
Command launch_command();
Command device_build_command();
Command device_show_command();
Command device_check_command();
Command device_import_command();
Command completion_command();

}  // namespace hone::cli
