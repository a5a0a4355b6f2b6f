// py4cast init
#include <filesystem>
#include <fstream>
#include <iostream>

#include "data/netcdf/netcdf_dataset.h"
#include "engine/error.h"
#include "train/configuration_documents.h"
#include "train/forecast/init.h"
#include "train/programs/commands.h"

namespace py4cast {

int run_init(const InitRequest& request) {
  namespace fs = std::filesystem;
  if (!request.out.empty() && fs::exists(request.out))
    throw Error(ErrorKind::input_output, request.out,
                ": exists already; move it away or give another --out");
  const auto source = open_netcdf(request.files);
  const Guess guess = guess_configuration(*source, request.files);
  const std::string document = guess_document(guess);
  if (request.out.empty()) {
    std::cout << document;
    return 0;
  }
  const std::string temporary = request.out + ".part";
  std::ofstream(temporary) << document << std::flush;
  std::error_code error;
  if (fs::file_size(temporary, error) != document.size() || error)
    throw Error(ErrorKind::input_output, request.out, ": cannot be written");
  fs::rename(temporary, request.out);
  for (const auto& [path, reason] : guess.reasons)
    std::cout << path << "\n    " << wrapped(reason, "    ") << '\n';
  std::cout << "\nwritten: " << request.out << "\ntry it: py4cast_train " << request.out
            << " --dry-run\n";
  return 0;
}

}  // namespace py4cast
