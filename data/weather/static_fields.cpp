#include "data/weather/static_fields.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "data/weather/bilinear.h"
#include "data/weather/features.h"
#include "engine/error.h"
#include "engine/text.h"

namespace py4cast {
namespace {

bool one_of(const std::string& text, const std::vector<std::string>& list) {
  return std::ranges::find(list, text) != list.end();
}

// How surely a variable is what is looked for. Standard names say what a variable is, other names may mean another one.
enum Likeness { none, by_name, by_standard_name };

// Relief is called by many names.
Likeness is_relief(const VariableInfo& info) {
  if (one_of(info.standard_name, {"surface_geopotential", "surface_altitude"}))
    return by_standard_name;
  if (!info.levels.empty()) return none;
  if (one_of(info.standard_name, {"geopotential", "geopotential_height"}) ||
      one_of(lower_case(info.long_name), {"terrain height", "orography"}))
    return by_standard_name;
  return one_of(info.name, {"geopotential", "orography", "orog", "z", "zs", "h", "topo", "relief",
                            "altitude", "elevation", "HGT_M", "HSURF", "SURFGEOPOTENTIEL"})
             ? by_name
             : none;
}

Likeness is_land(const VariableInfo& info) {
  if (one_of(info.standard_name, {"land_binary_mask", "land_area_fraction"}))
    return by_standard_name;
  return one_of(info.name,
                {"land_sea_mask", "lsm", "LSM", "sftlf", "LANDMASK", "LandSeaMask", "FR_LAND"})
             ? by_name
             : none;
}

class StaticFields {
 public:
  StaticFields(const DatasetSettings& settings, FieldSource& source, const Sources& more,
               const Region& region, const Grid& grid, std::vector<std::string>& notes)
      : settings_(settings),
        source_(source),
        more_(more),
        region_(region),
        grid_(grid),
        notes_(notes) {}

  NamedTensor make() {
    for (const std::string& name : settings_.statics) check(name);
    if (asked("x")) add_rescaled("x", grid_.x);
    if (asked("y")) add_rescaled("y", grid_.y);
    if (asked("geopotential")) add_found("geopotential", is_relief, true);
    if (asked("border_mask")) add_border_mask();
    if (asked("land_sea_mask")) add_land_sea_mask();
    for (const DatasetVariable& variable : settings_.variables)
      if (variable.role == Role::constant && !one_of(variable.name, used_)) add_variable(variable);
    return interleaved();
  }

 private:
  // A variable and whose it is.
  struct Found {
    FieldSource* source = nullptr;
    const VariableInfo* info = nullptr;
  };

  bool asked(const char* name) const { return one_of(name, settings_.statics); }

  void check(const std::string& name) const {
    const std::vector<std::string> known = {"x", "y", "geopotential", "border_mask",
                                            "land_sea_mask"};
    if (!one_of(name, known))
      throw Error(ErrorKind::configuration, "dataset.statics: '", name,
                  "' is unknown; the nearest is '", nearest_name(name, known),
                  "' (give a variable of the files the role 'static' instead)");
  }

  // A variable that the user named or a constant one of the data that answers the description: the surest, of
  // these the user's.
  template <typename Predicate>
  Found find(const Predicate& described) const {
    const auto named = [&](const VariableInfo& info, bool any_role) {
      return std::ranges::any_of(settings_.variables, [&](const DatasetVariable& variable) {
        return variable.name == info.name && (any_role || variable.role == Role::constant);
      });
    };
    for (const Likeness likeness : {by_standard_name, by_name}) {
      for (const VariableInfo& info : source_.variables())
        if (described(info) == likeness && named(info, false)) return {&source_, &info};
      for (const VariableInfo& info : source_.variables())
        if (described(info) == likeness && !named(info, true) && !info.has_time &&
            info.levels.size() <= 1)
          return {&source_, &info};
    }
    for (const auto& more : more_)
      for (const VariableInfo& info : more->variables())
        if (described(info) && info.levels.size() <= 1) return {more.get(), &info};
    return {};
  }

  template <typename Predicate>
  void add_found(const std::string& name, const Predicate& described, bool rescale) {
    const Found found = find(described);
    if (!found.info) {
      const auto& variables = source_.variables();
      const auto timely = std::ranges::find_if(variables, [&](const VariableInfo& info) {
        return described(info) && info.has_time && info.levels.size() <= 1;
      });
      notes_.push_back("the network gets no " + name + " among its constant fields: " +
                       (timely == variables.end()
                            ? "the data have none"
                            : "'" + timely->name + "' has a time; dataset.variables." +
                                  timely->name + ".role static would give its first field"));
      return;
    }
    used_.push_back(found.info->name);
    const std::vector<double> values = read(found, 0);
    if (rescale) {
      add_rescaled(name, values);
    } else {
      add(name, values);
    }
  }

  void add_land_sea_mask() {
    if (!settings_.land_sea_mask_of_zeros || find(is_land).info)
      add_found("land_sea_mask", is_land, false);
    else
      add("land_sea_mask", std::vector<double>(static_cast<size_t>(grid_.rows * grid_.columns)));
  }

  void add_border_mask() {
    const Tensor mask = make_border_mask(grid_.rows, grid_.columns, settings_.border);
    const auto values = mask.span<float>();
    add("border_mask", {values.begin(), values.end()});
  }

  void add_variable(const DatasetVariable& variable) {
    const auto is_it = [&](const VariableInfo& each) { return each.name == variable.name; };
    const auto has_it = [&](const FieldSource& source) {
      return std::ranges::any_of(source.variables(), is_it);
    };
    const auto elsewhere =
        std::ranges::find_if(more_, [&](const auto& more) { return has_it(*more); });
    FieldSource& source = has_it(source_) || elsewhere == more_.end() ? source_ : **elsewhere;
    const Found found{&source, &source.variable(variable.name)};
    for (const Feature& feature :
         make_features(source, {"dataset.variables", variable.name, variable.short_name,
                                variable.levels, variable.weight}))
      add_rescaled(feature.name, read(found, feature.level_index));
  }

  std::vector<double> read(const Found& found, int64_t level) {
    const VariableInfo& info = *found.info;
    const auto [first, last] = moments_of(found, level);
    const std::vector<float> values = on_grid(found, first);
    if (info.has_time && differ(values, on_grid(found, last)))
      notes_.push_back("the constant field is not constant in time; the network is given " +
                       found.source->describe(first));
    const auto missing = std::ranges::count_if(values, [](float v) { return std::isnan(v); });
    const std::string file = found.source->file_of(first);
    if (missing && settings_.missing == Missing::error)
      throw Error(ErrorKind::data, file, file.empty() ? "" : ": ", "the constant field '",
                  info.name, "' has ", missing, " missing values of ", values.size(),
                  info.limits_note(), " (dataset.missing = \"mask\" would set them to 0)");
    return {values.begin(), values.end()};
  }

  // The first and the last that there is.
  static std::pair<FieldRequest, FieldRequest> moments_of(const Found& found, int64_t level) {
    const auto leads = std::max<int64_t>(1, std::ssize(found.source->times().leads));
    const auto at = [&](int64_t moment) {
      return FieldRequest{found.info->name, level, moment / leads, moment % leads, 0};
    };
    int64_t first = 0,
            last = found.info->has_time ? std::ssize(found.source->times().runs) * leads - 1 : 0;
    while (first < last && !found.source->exists(at(first))) ++first;
    while (last > first && !found.source->exists(at(last))) --last;
    return {at(first), at(last)};
  }

  // By more than packing does.
  static bool differ(const std::vector<float>& a, const std::vector<float>& b) {
    float low = INFINITY, high = -INFINITY, most = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      low = std::fmin(low, a[i]);
      high = std::fmax(high, a[i]);
      most = std::fmax(most, std::abs(a[i] - b[i]));
    }
    return most > 1e-3f * (high - low);
  }

  std::vector<float> on_grid(const Found& found, const FieldRequest& request) {
    std::vector<float> values(static_cast<size_t>(region_.rows() * region_.columns()));
    if (found.source == &source_) {
      source_.read(request, region_, values.data());
    } else {
      FieldSource& more = *found.source;
      const Bilinear& bilinear = bilinear_
                                     .try_emplace(&more, more.grid(), grid_, std::vector<bool>(),
                                                  more.file_of(request) + ": the constant fields")
                                     .first->second;
      const Region& part = bilinear.region();
      std::vector<float> given(static_cast<size_t>(part.rows() * part.columns()));
      more.read(request, part, given.data());
      bilinear(given.data(), values.data(), 0);
    }
    return values;
  }

  void add_rescaled(const std::string& name, std::vector<double> values) {
    double low = INFINITY, high = -INFINITY;
    for (const double value : values) {
      low = std::fmin(low, value);
      high = std::fmax(high, value);
    }
    if (low == high) {
      std::ostringstream note;
      note << "the constant field " << name << " is the same everywhere: " << low;
      notes_.push_back(note.str());
    }
    for (double& value : values) value = low < high ? (value - low) / (high - low) : low != 0;
    add(name, values);
  }

  void add(const std::string& name, const std::vector<double>& values) {
    names_.push_back(name);
    fields_.emplace_back();
    for (const double value : values)
      fields_.back().push_back(std::isnan(value) ? 0 : static_cast<float>(value));
  }

  NamedTensor interleaved() const {
    const auto features = static_cast<int64_t>(fields_.size());
    const Tensor tensor = host_tensor({grid_.rows, grid_.columns, features}, DataType::f32);
    const auto out = tensor.span<float>();
    for (size_t f = 0; f < fields_.size(); ++f)
      for (size_t i = 0; i < fields_[f].size(); ++i) out[i * fields_.size() + f] = fields_[f][i];
    return NamedTensor(tensor, {"lat", "lon", "features"}, names_);
  }

  const DatasetSettings& settings_;
  FieldSource& source_;
  const Sources& more_;
  std::map<const FieldSource*, Bilinear> bilinear_;  // from their grids
  const Region& region_;
  const Grid& grid_;
  std::vector<std::string>& notes_;
  std::vector<std::string> used_, names_;
  std::vector<std::vector<float>> fields_;
};

}  // namespace

Tensor make_border_mask(int64_t rows, int64_t columns, int64_t border) {
  if (border < 0 || border >= (std::min(rows, columns) + 1) / 2)
    throw Error(ErrorKind::configuration, "dataset.border: a frame of ", border,
                " points does not fit a grid of ", rows, " x ", columns, " points");
  const Tensor mask = host_tensor({rows, columns, 1}, DataType::f32);
  const auto values = mask.span<float>();
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; ++column)
      values[static_cast<size_t>(row * columns + column)] =
          row < border || row >= rows - border || column < border || column >= columns - border;
  return mask;
}

NamedTensor make_statics(const DatasetSettings& settings, FieldSource& source, const Sources& more,
                         const Region& region, const Grid& grid, std::vector<std::string>& notes) {
  return StaticFields(settings, source, more, region, grid, notes).make();
}

}  // namespace py4cast
