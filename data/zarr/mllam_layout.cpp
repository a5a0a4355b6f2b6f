#include "data/zarr/mllam_layout.h"

#include <algorithm>

#include "data/cf/axis_role.h"
#include "engine/error.h"

namespace py4cast {
namespace {

const std::string grid_index = "grid_index", feature_ending = "_feature";

bool is_feature_axis(const std::string& dimension) {
  return dimension.ends_with(feature_ending);
}

bool has_dimension(const CfVariable& v, const std::string& dimension) {
  return std::ranges::find(v.dimensions, dimension) != v.dimensions.end();
}

bool is_feature_array(const CfVariable& v) {
  return has_dimension(v, grid_index) && std::ranges::any_of(v.dimensions, is_feature_axis);
}

size_t axis_of(const CfVariable& v, const std::string& dimension) {
  return static_cast<size_t>(std::ranges::find(v.dimensions, dimension) - v.dimensions.begin());
}

class MllamReader {
 public:
  explicit MllamReader(const StoreContent& store) : store_(store) {
    view_.metadata.path = store.metadata.path;
    view_.metadata.attributes = store.metadata.attributes;
    for (const CfVariable& v : store.metadata.variables)
      if (v.is_numeric() && v.dimensions == std::vector{grid_index} && v.name != grid_index &&
          v.unreadable.empty())
        coordinates_.push_back(&v);
  }

  FeatureView read() {
    find_grid();
    for (const CfVariable& v : store_.metadata.variables) {
      if (is_feature_array(v))
        add_array(v);
      else if (!has_dimension(v, grid_index) && std::ranges::none_of(v.dimensions, is_feature_axis))
        pass_on(v);
    }
    return std::move(view_);
  }

 private:
  static std::optional<AxisRole> role_of(const CfVariable& v) {
    const auto role = role_of_attributes(v);
    return role ? role : role_of_name(v.name);
  }

  void find_grid() {
    std::string tried;
    for (const CfVariable* y : coordinates_)
      for (const CfVariable* x : coordinates_)
        if (view_.points.empty() && role_of(*y) == AxisRole::y && role_of(*x) == AxisRole::x &&
            !add_rectangle(*y, store_.numbers(y->name), *x, store_.numbers(x->name), view_))
          tried += (tried.empty() ? "" : ", ") + ("'" + y->name + "' and '" + x->name + "'");
    if (view_.points.empty())
      throw Error(ErrorKind::data, store_.metadata.path, ": the points of '", grid_index,
                  "' form no rectangle by their coordinates (",
                  tried.empty() ? "there are no x and y" : tried,
                  "); fields on other grids cannot be read");
    for (const CfVariable* v : coordinates_)
      if (v->name != view_.y && v->name != view_.x && (is_latitude(*v) || is_longitude(*v)))
        add_of_points(*v, store_.numbers(v->name), view_);
  }

  void add_array(const CfVariable& v) {
    const auto axis = std::ranges::find_if(v.dimensions, is_feature_axis);
    const size_t number = static_cast<size_t>(axis - v.dimensions.begin());
    const std::vector<std::string> names = texts_along(*axis, *axis),
                                   units = texts_along(*axis, *axis + "_units"),
                                   long_names = texts_along(*axis, *axis + "_long_name");
    CfVariable array = v;
    const std::string target = axis->substr(0, axis->size() - feature_ending.size());
    if (target == "state" || target == "forcing") array.role = target;
    for (size_t i = 0; i < v.shape[number]; ++i) {
      std::map<std::string, CfAttribute> attributes;
      if (i < units.size()) attributes["units"] = text_attribute(units[i]);
      if (i < long_names.size()) attributes["long_name"] = text_attribute(long_names[i]);
      add_feature(array, i < names.size() ? names[i] : *axis + "_" + std::to_string(i),
                  {v.name, {{number, i}}, axis_of(v, grid_index)}, attributes, view_);
    }
    for (size_t d = 0; d < v.dimensions.size(); ++d)
      if (v.dimensions[d] != grid_index && d != number)
        view_.metadata.dimensions[v.dimensions[d]] = v.shape[d];
  }

  // Of a coordinate along the features; none where there is no such one.
  std::vector<std::string> texts_along(const std::string& dimension,
                                       const std::string& name) const {
    const CfVariable* v = store_.metadata.find(name);
    if (!v || v->type != ElementType::text || v->dimensions != std::vector{dimension}) return {};
    return store_.texts(name);
  }

  void pass_on(const CfVariable& v) {
    if (view_.metadata.find(v.name)) return;
    view_.metadata.variables.push_back(v);
    for (size_t d = 0; d < v.dimensions.size(); ++d)
      view_.metadata.dimensions[v.dimensions[d]] = v.shape[d];
  }

  const StoreContent& store_;
  std::vector<const CfVariable*> coordinates_;
  FeatureView view_;
};

}  // namespace

std::optional<FeatureView> mllam_view(const StoreContent& store) {
  if (std::ranges::none_of(store.metadata.variables, is_feature_array)) return {};
  return MllamReader(store).read();
}

}  // namespace py4cast
