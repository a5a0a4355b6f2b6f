#include "engine/settings/resolve.h"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/error.h"

extern char** environ;

namespace py4cast {
namespace {

const std::string command_line = "command line";

std::string without_dashes(const std::string& flag) {
  return flag.substr(std::min<size_t>(2, flag.size()));
}

Json read_object(const std::string& file) {
  Json content = read_json_file(file);
  if (!content.is_object())
    throw Error(ErrorKind::configuration, file, ": must be an object ({...})");
  return content;
}

// The files that are named, each read once.
using Files = std::map<std::string, Json>;

// One pass over all sources with the keys that are known by now. While the choices are not all
// made (`lenient`), keys that are not known yet are passed over.
class Pass {
 public:
  Pass(const Layout& layout, const Keys& keys, const Keys& of_file,
       const ConfigurationSources& sources, Files& files, bool lenient)
      : layout_(layout),
        keys_(keys),
        of_file_(of_file),
        sources_(sources),
        files_(files),
        lenient_(lenient),
        values_(keys.values()) {}

  Json values() {
    if (!sources_.file.empty()) take_object(content(sources_.file), "", sources_.file);
    take_environment();
    for (const bool groups : {true, false}) take_flags(groups);
    return std::move(values_);
  }

 private:
  // A key that would be known if another choice had been made is said to be so.
  [[noreturn]] void refuse(const std::string& where, const std::string& what,
                           const std::string& name, const std::vector<std::string>& known) const {
    const Keys all = Keys::all(layout_);
    const auto flag = find_flag(all, name);
    const Setting* key = where != command_line ? all.find(name) : flag ? flag->key : nullptr;
    if (key && !key->owner.empty())
      throw Error(ErrorKind::configuration, where, ": unknown ", what, " '", name,
                  "'; it is a key of '", key->owner, "'");
    refuse_unknown(where, what, name, known);
  }

  const Json& content(const std::string& file) {
    const auto entry = files_.find(file);
    return entry != files_.end() ? entry->second : files_[file] = read_object(file);
  }

  void take(const Setting& key, const Json& value, const std::string& where,
            const std::string& name) {
    place_of(values_, key.path) = checked_value(key, value, where, name);
  }

  // An object whose keys stand below `prefix`.
  void take_object(const Json& object, const std::string& prefix, const std::string& where) {
    for (const auto& [name, value] : object.items()) {
      const std::string path = joined_path(prefix, name);
      if (path == "$schema" || (where == sources_.file && replaced(path))) continue;
      if (const Setting* key = keys_.find(path))
        take(*key, value, where, path);
      else if (keys_.is_section(path))
        take_section(value, path, where, path);
      else if (!lenient_)
        refuse(where, "key", path, keys_.paths());
    }
  }

  // The key (or the settings) of an alternative that the file chose, and a later source did not.
  bool replaced(const std::string& path) const {
    if (of_file_.is_section(path)) return !keys_.is_section(path);
    const Setting *before = of_file_.find(path), *now = keys_.find(path);
    return before && !before->owner.empty() && (!now || now->owner != before->owner);
  }

  void take_section(const Json& value, const std::string& path, const std::string& where,
                    const std::string& name) {
    if (!value.is_object())
      throw Error(ErrorKind::configuration, where, ": '", name, "' must be an object ({...}), not ",
                  value.dump());
    take_object(value, path, where);
  }

  void take_environment() {
    std::vector<std::string> known;
    for (const Setting& key : keys_.settings()) known.push_back(environment_name(key));
    for (const auto& [name, text] : sources_.environment) {
      if (text.empty()) continue;  // as if it were not set
      const auto at = std::find(known.begin(), known.end(), name);
      const auto section = std::find_if(keys_.sections().begin(), keys_.sections().end(),
                                        [&, &variable = name](const auto& each) {
                                          return environment_name(each.first) == variable;
                                        });
      if (at != known.end()) {
        const Setting& key = keys_.settings()[static_cast<size_t>(at - known.begin())];
        take(key, value_from_text(key.type(), text), "environment", name);
      } else if (section != keys_.sections().end()) {
        take_section(value_from_text(KeyType::object, text), section->first, "environment", name);
      } else if (!lenient_) {
        refuse_slip(name, known);
      }
    }
  }

  // Other variables PY4CAST_* are not ours, but one that starts like a section is a slip.
  void refuse_slip(const std::string& name, const std::vector<std::string>& known) const {
    for (const auto& [section, description] : keys_.sections())
      if (name.starts_with(environment_name(section) + "_"))
        throw Error(ErrorKind::configuration, "environment: unknown variable '", name,
                    "'; did you mean '", nearest_name(name, known), "'?");
  }

  void take_flags(bool groups) {
    for (const FlagValue& flag : sources_.flags) {
      const auto target = find_flag(keys_, without_dashes(flag.flag));
      if (!target) {
        if (lenient_) continue;
        refuse(command_line, "flag", without_dashes(flag.flag), keys_.flag_names());
      }
      if (target->takes_value && !flag.value)
        throw Error(ErrorKind::configuration, command_line, ": '", flag.flag, "' needs a value");
      if (groups == (target->group != nullptr)) take_flag(flag, *target);
    }
  }

  void take_flag(const FlagValue& flag, const FlagTarget& target) {
    if (target.group) return take_group(*target.group, flag.value);
    if (!target.key)
      return take_section(value_from_text(KeyType::object, *flag.value), target.section,
                          command_line, flag.flag);
    const Setting& key = *target.key;
    if (key.type() == KeyType::boolean) {
      Json value = flag.value ? value_from_text(KeyType::boolean, *flag.value) : Json(true);
      if (target.negated && value.is_boolean()) value = !value.get<bool>();
      take(key, value, command_line, flag.flag);
    } else if (target.inside.empty()) {
      take(key, value_from_text(key.type(), *flag.value), command_line, flag.flag);
    } else {
      Json object = *find_place(values_, key.path);
      place_of(object, target.inside) = inside_value(key, target.inside, *flag.value);
      take(key, object, command_line, "--" + key.path);
    }
  }

  void take_group(const FlagGroup& group, const std::optional<std::string>& file) {
    for (const auto& [path, text] : group.values)
      if (const Setting* key = keys_.find(path))
        take(*key, value_from_text(key->type(), text), command_line, "--" + group.flag);
    if (group.section.empty()) return;
    for (const Setting& key : keys_.settings())
      if (key.path.starts_with(group.section + ".") && key.path != group.kept)
        place_of(values_, key.path) = *key.default_value;
    const Json& found = content(*file);
    take_object(group.translate ? group.translate(found, *file) : found, group.section, *file);
  }

  const Layout& layout_;
  const Keys &keys_, &of_file_;
  const ConfigurationSources& sources_;
  Files& files_;
  bool lenient_;
  Json values_;
};

// The keys that the choices of all sources bring. A choice may bring others: as long as more become
// known.
Keys keys_of(const Layout& layout, const ConfigurationSources& sources, Files& files) {
  Keys keys = Keys::chosen(layout, Json::object());
  for (;;) {
    Keys more =
        Keys::chosen(layout, Pass(layout, keys, keys, sources, files, /*lenient=*/true).values());
    if (more.paths() == keys.paths()) return more;
    keys = std::move(more);
  }
}

}  // namespace

std::map<std::string, std::string> configuration_environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry; ++entry) {
    const std::string text = *entry;
    if (text.starts_with("PY4CAST_"))
      variables[text.substr(0, text.find('='))] = text.substr(text.find('=') + 1);
  }
  return variables;
}

Json resolve(const Layout& layout, const ConfigurationSources& sources) {
  Files files;
  const Keys of_file = keys_of(layout, {.file = sources.file}, files),
             keys = keys_of(layout, sources, files);
  return Pass(layout, keys, of_file, sources, files, /*lenient=*/false).values();
}

std::optional<FlagTarget> find_flag(const Keys& keys, const std::string& flag) {
  for (const FlagGroup& group : keys.groups())
    if (flag == group.flag) return FlagTarget{.group = &group, .takes_value = !group.value.empty()};
  for (const Setting& key : keys.settings()) {
    const bool boolean = key.type() == KeyType::boolean;
    const auto is = [&](const std::string& name) {
      return name == key.path || std::count(key.flags.begin(), key.flags.end(), name) > 0;
    };
    if (is(flag)) return FlagTarget{.key = &key, .takes_value = !boolean};
    if (boolean && flag.starts_with("no-") && is(flag.substr(3)))
      return FlagTarget{.key = &key, .negated = true, .takes_value = false};
    const bool open = key.type() == KeyType::object || key.type() == KeyType::entries;
    if (open && flag.starts_with(key.path + "."))
      return FlagTarget{.key = &key, .inside = flag.substr(key.path.size() + 1)};
  }
  if (keys.is_section(flag)) return FlagTarget{.section = flag};
  return std::nullopt;
}

}  // namespace py4cast
