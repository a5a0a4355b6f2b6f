#include "data/cf/cf_source.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>
#include <sstream>
#include <tuple>
#include <utility>

#include "data/weather/calendar.h"
#include "data/weather/data_files.h"
#include "data/weather/units.h"
#include "engine/error.h"
#include "kernels/fields/decode_fields.h"

namespace py4cast {
namespace {

template <typename T>
int place_in(const std::vector<T>& sorted, T value) {
  const auto found = std::lower_bound(sorted.begin(), sorted.end(), value);
  return found != sorted.end() && *found == value ? static_cast<int>(found - sorted.begin()) : -1;
}

template <typename T>
std::vector<T> sorted_union(const std::set<T>& values) {
  return {values.begin(), values.end()};
}

// result[i] = the index in `part` of all[i], or -1.
template <typename T>
std::vector<int> indices_in(const std::vector<T>& part, const std::vector<T>& all) {
  std::map<T, int> indices;
  for (size_t k = 0; k < part.size(); ++k) indices[part[k]] = static_cast<int>(k);
  std::vector<int> result;
  for (const T& value : all) {
    const auto found = indices.find(value);
    result.push_back(found == indices.end() ? -1 : found->second);
  }
  return result;
}

// Degrees to the neighbours in the middle of the grid; infinite: there are none.
double spacing_of(const Grid& grid) {
  const int64_t middle = grid.rows / 2 * grid.columns + grid.columns / 2;
  double spacing = std::numeric_limits<double>::infinity();
  for (const int64_t step : {grid.columns > 1 ? int64_t{1} : 0, grid.rows > 1 ? grid.columns : 0}) {
    if (step == 0) continue;
    const auto here = static_cast<size_t>(middle), there = static_cast<size_t>(middle - step);
    spacing = std::min(spacing, std::max(std::abs(grid.latitude[here] - grid.latitude[there]),
                                         std::abs(grid.longitude[here] - grid.longitude[there])));
  }
  return spacing;
}

void compare_coordinates(const std::vector<double>& a, const std::vector<double>& b,
                         const Grid& grid, const char* name, const std::string& path_a,
                         const std::string& path_b) {
  const double same_point = std::min(1e-3, 0.1 * spacing_of(grid));
  for (size_t i = 0; i < a.size(); ++i)
    if (std::abs(std::remainder(a[i] - b[i], 360)) > same_point)
      throw Error(ErrorKind::data, path_a, " and ", path_b, " have different grids: the ", name,
                  " at row ", static_cast<int64_t>(i) / grid.columns, ", column ",
                  static_cast<int64_t>(i) % grid.columns, " is ", a[i], " and ", b[i]);
}

// Whether the file's times mean the same in the calendar.
bool counts_in(Calendar calendar, const FileLayout& layout) {
  return std::ranges::all_of(layout.fields, [&](const FieldLayout& field) {
    return same_calendar(calendar, layout.calendar, field.runs);
  });
}

}  // namespace

CfSource::CfSource(std::shared_ptr<CfFiles> files, const std::vector<std::string>& patterns,
                   const std::vector<std::string>& wanted)
    : files_(std::move(files)), paths_(expand_patterns(patterns)) {
  for (const std::string& path : paths_)
    add_file(describe_layout(*files_, path, {wanted.begin(), wanted.end()}));
  leave_out_unusable();
  find_constants(wanted);
  collect_times();
  collect_levels();
  for (VariableInfo& info : variables_) {
    Field& field = fields_.at(info.name);
    index_pieces(field, info);
    if (const std::string doubt = doubt_about(info); !doubt.empty()) {
      unusable_.insert(info.name);
      left_out_[info.name] = doubt;
    }
    info.stored_bytes = 0;
    for (const Piece& piece : field.pieces)
      info.stored_bytes = std::max(info.stored_bytes, size_of(piece.packing.type));
  }
  leave_out_unusable();
}

void CfSource::add_file(FileLayout layout) {
  if (grid_path_.empty()) {
    grid_path_ = layout.path;
    grid_ = layout.grid;
  } else {
    check_grid(layout);
  }
  if (layout.has_time && calendar_path_.empty()) {
    calendar_path_ = layout.path;
    times_.calendar = layout.calendar;
  } else if (layout.has_time && !counts_in(times_.calendar, layout)) {
    throw Error(ErrorKind::data, calendar_path_, " and ", layout.path,
                " have different calendars: ", calendar_name(times_.calendar), " and ",
                calendar_name(layout.calendar));
  }
  unusable_.insert(layout.unusable.begin(), layout.unusable.end());
  for (const auto& [name, reason] : layout.left_out) left_out_[name] = layout.path + ": " + reason;
  for (FieldLayout& field : layout.fields) {
    for (size_t i = 0; i < field.member_names.size(); ++i)
      field.members[i] =
          member_numbers_
              .try_emplace(field.member_names[i], static_cast<double>(member_numbers_.size()))
              .first->second;
    const std::string& name = field.info.name;
    std::vector<Piece>& pieces = fields_[name].pieces;
    if (pieces.empty())
      variables_.push_back(field.info);
    else
      check_units(pieces[0].layout, pieces[0].path, field, layout.path);
    const bool merged = field.position[static_cast<size_t>(AxisRole::version)] >= 0;
    const Packing packing = merged ? Packing() : field.variable.packing();
    pieces.push_back({layout.path, std::move(field), packing, {}, {}, {}});
  }
}

void CfSource::leave_out_unusable() {
  std::erase_if(variables_,
                [&](const VariableInfo& info) { return unusable_.contains(info.name); });
  std::erase_if(fields_, [&](const auto& field) { return unusable_.contains(field.first); });
  if (!variables_.empty()) return;
  const std::string& name = *unusable_.begin();
  throw Error(ErrorKind::data, "variable '", name, "' cannot be used: ", left_out_.at(name));
}

void CfSource::check_units(const FieldLayout& first, const std::string& first_path,
                           const FieldLayout& other, const std::string& other_path) const {
  // A file may leave out the height of a variable.
  const bool untold = (first.scalar_level && other.info.levels.empty()) ||
                      (other.scalar_level && first.info.levels.empty());
  for (const auto& [what, a, b] :
       {std::tuple("", first.info.units, other.info.units),
        std::tuple("the levels of ", first.info.level_units, other.info.level_units)})
    if (!same_units(a, b) && (!untold || std::string_view(what).empty()))
      throw Error(ErrorKind::data, what, "variable '", first.info.name, "' in ", first_path,
                  " and ", other_path, " have different units: '", a, "' and '", b, "'");
}

void CfSource::check_grid(const FileLayout& layout) const {
  const Grid& other = layout.grid;
  if (other.rows != grid_.rows || other.columns != grid_.columns)
    throw Error(ErrorKind::data, grid_path_, " and ", layout.path,
                " have different grids: ", grid_.rows, " x ", grid_.columns, " and ", other.rows,
                " x ", other.columns, " points");
  compare_coordinates(grid_.latitude, other.latitude, grid_, "latitude", grid_path_, layout.path);
  compare_coordinates(grid_.longitude, other.longitude, grid_, "longitude", grid_path_,
                      layout.path);
}

void CfSource::find_constants(const std::vector<std::string>& wanted) {
  const auto varies = [](const Field& field) {
    const FieldLayout& first = field.pieces[0].layout;
    for (const Piece& piece : field.pieces)
      if (piece.layout.runs.size() * piece.layout.leads.size() != 1 ||
          piece.layout.runs[0] + piece.layout.leads[0] != first.runs[0] + first.leads[0])
        return true;
    return false;
  };
  bool any_varies = false;
  for (VariableInfo& info : variables_) {
    const Field& field = fields_.at(info.name);
    info.has_time = std::all_of(field.pieces.begin(), field.pieces.end(),
                                [](const Piece& piece) { return piece.layout.info.has_time; });
    any_varies |= info.has_time && varies(field);
  }
  for (VariableInfo& info : variables_)
    if (info.has_time && any_varies && !varies(fields_.at(info.name)) &&
        std::ranges::find(wanted, info.name) == wanted.end())
      info.has_time = false;
}

void CfSource::collect_times() {
  std::set<Time> runs, leads;
  std::set<double> members;
  for (const VariableInfo& info : variables_) {
    for (const Piece& piece : fields_.at(info.name).pieces) {
      if (!info.has_time) continue;
      runs.insert(piece.layout.runs.begin(), piece.layout.runs.end());
      leads.insert(piece.layout.leads.begin(), piece.layout.leads.end());
      if (piece.layout.has_member)
        members.insert(piece.layout.members.begin(), piece.layout.members.end());
    }
  }
  times_.runs = sorted_union(runs);
  times_.leads = leads.empty() ? std::vector<Time>{0} : sorted_union(leads);
  if (times_.leads.size() > 1 ? times_.runs.size() == 1 : times_.leads[0] != 0) count_by_validity();
  members_ = members.empty() ? std::vector<double>{0} : sorted_union(members);
  times_.members = static_cast<int64_t>(members_.size());
  const auto is_number = [](double m) { return m == std::floor(m) && std::abs(m) < 1e9; };
  if (std::ranges::all_of(members, is_number))
    times_.member_numbers.assign(members.begin(), members.end());
}

// With a single run or a single lead time only the times of validity count.
void CfSource::count_by_validity() {
  const auto validity = [](std::vector<Time>& runs, std::vector<Time>& leads) {
    std::vector<Time> times;
    for (const Time run : runs)
      for (const Time lead : leads) times.push_back(run + lead);
    runs = std::move(times);
    leads = {0};
  };
  const bool along_leads = times_.leads.size() > 1;
  validity(times_.runs, times_.leads);
  for (auto& [name, field] : fields_)
    for (Piece& piece : field.pieces) {
      validity(piece.layout.runs, piece.layout.leads);
      if (along_leads) piece.layout.run_position = std::exchange(piece.layout.lead_position, -1);
    }
}

void CfSource::collect_levels() {
  for (VariableInfo& info : variables_) {
    Field& field = fields_.at(info.name);
    info.levels.clear();
    bool all_scalar = true;
    std::set<double> known;
    for (const Piece& piece : field.pieces) {
      all_scalar &= piece.layout.scalar_level || piece.layout.info.levels.empty();
      for (double level : piece.layout.info.levels)
        if (known.insert(level).second) info.levels.push_back(level);
    }
    if (all_scalar && info.levels.size() > 1) check_heights(info.name, field.pieces);
    if (all_scalar && info.levels.size() == 1) {
      info.only_level = info.levels[0];  // as "2 m" of a temperature
      info.levels.clear();
    }
  }
}

// Levels from scalar coordinates, one a file, are levels of one variable if they have times in common; at other times
// it is another variable.
void CfSource::check_heights(const std::string& name, const std::vector<Piece>& pieces) const {
  const auto times_of = [](const Piece& piece) {
    std::set<Time> times;
    for (const Time run : piece.layout.runs)
      for (const Time lead : piece.layout.leads) times.insert(run + lead);
    return times;
  };
  const auto told = std::ranges::find_if(
      pieces, [](const Piece& piece) { return !piece.layout.info.levels.empty(); });
  const VariableInfo& here = told->layout.info;
  const std::set<Time> times = times_of(*told);
  const Piece* other = nullptr;
  for (const Piece& piece : pieces) {
    const VariableInfo& there = piece.layout.info;
    if (there.levels.empty() || there.levels == here.levels) continue;
    if (!other) other = &piece;
    for (const Time time : times_of(piece))
      if (times.contains(time)) return;
  }
  if (other && !times.empty())
    throw Error(ErrorKind::data, "variable '", name, "' is at ", here.levels[0], ' ',
                here.level_units, " in ", told->path, " and at ", other->layout.info.levels[0], ' ',
                other->layout.info.level_units, " in ", other->path, ", at other times");
}

void CfSource::index_pieces(Field& field, const VariableInfo& info) {
  field.runs.resize(info.has_time ? times_.runs.size() : 1);
  for (size_t p = 0; p < field.pieces.size(); ++p) {
    Piece& piece = field.pieces[p];
    const FieldLayout& layout = piece.layout;
    piece.levels =
        info.levels.empty() ? std::vector<int>{0} : indices_in(layout.info.levels, info.levels);
    if (!info.has_time) {
      piece.leads = piece.members = {0};
      field.runs[0].push_back({static_cast<int>(p), 0});
      continue;
    }
    piece.leads = indices_in(layout.leads, times_.leads);
    // A file that does not number its members holds the first, or the same field for all.
    piece.members = layout.has_member ? indices_in(layout.members, members_)
                                      : std::vector<int>(members_.size(), 0);
    for (size_t r = 0; r < layout.runs.size(); ++r) {
      const int run = place_in(times_.runs, layout.runs[r]);
      if (run >= 0)
        field.runs[static_cast<size_t>(run)].push_back({static_cast<int>(p), static_cast<int>(r)});
    }
  }
}

bool CfSource::same_values(const Found& a, const Found& b) const {
  const Region whole{0, grid_.rows, 0, grid_.columns};
  const auto values = [&](const Found& found) {
    std::vector<float> stored(static_cast<size_t>(grid_.rows * grid_.columns));
    std::vector<float> result(stored.size());
    const Packing packing = read_found(found, whole, stored.data());
    unpack(level_, packing, stored.data(), std::ssize(result), result.data());
    return result;
  };
  const auto step = [](const Packing& packing) {
    return packing.type == NumberType::f32 ? 0 : std::abs(packing.scale);
  };
  const double tolerance = step(a.piece->packing) + step(b.piece->packing);
  return std::ranges::equal(values(a), values(b), [&](float x, float y) {
    return std::abs(double{x} - y) <= tolerance || (std::isnan(x) && std::isnan(y));
  });
}

std::string CfSource::doubt_about(const VariableInfo& info) const {
  const Field& field = fields_.at(info.name);
  if (!info.has_time) return {};
  FieldRequest at{.variable = info.name};
  for (at.run = 0; at.run < std::ssize(times_.runs); ++at.run) {
    if (field.runs[static_cast<size_t>(at.run)].size() < 2) continue;
    for (at.lead = 0; at.lead < std::ssize(times_.leads); ++at.lead)
      for (at.member = 0; at.member < times_.members; ++at.member)
        for (at.level = 0; at.level < std::max<int64_t>(1, std::ssize(info.levels)); ++at.level) {
          const Found first = find(info, at);
          for (Found other = first;
               other.piece && (other = find(info, at, other.holder + 1)).piece;)
            if (!same_values(first, other))
              return first.piece->path + " and " + other.piece->path + " differ in " + describe(at);
        }
  }
  return {};
}

CfSource::Found CfSource::find(const VariableInfo& info, const FieldRequest& request,
                               size_t holder) const {
  const auto within = [](int64_t index, size_t size) {
    return index >= 0 && static_cast<size_t>(index) < size;
  };
  const Field& field = fields_.at(info.name);
  const int64_t run = info.has_time ? request.run : 0, lead = info.has_time ? request.lead : 0,
                member = info.has_time ? request.member : 0;
  if (!within(run, field.runs.size())) return {};
  const auto& holders = field.runs[static_cast<size_t>(run)];
  for (; holder < holders.size(); ++holder) {
    const auto& [p, run_index] = holders[holder];
    const Piece& piece = field.pieces[static_cast<size_t>(p)];
    if (!within(lead, piece.leads.size()) || !within(member, piece.members.size()) ||
        !within(request.level, piece.levels.size()))
      continue;
    const Found found = {&piece,
                         run_index,
                         piece.leads[static_cast<size_t>(lead)],
                         piece.members[static_cast<size_t>(member)],
                         piece.levels[static_cast<size_t>(request.level)],
                         holder};
    if (found.lead >= 0 && found.member >= 0 && found.level >= 0) return found;
  }
  return {};
}

CfSource::Found CfSource::find(const FieldRequest& request) const {
  return find(variable(request.variable), request);
}

bool CfSource::exists(const FieldRequest& request) const {
  return find(request).piece != nullptr;
}

std::string CfSource::file_of(const FieldRequest& request) const {
  const Piece* piece = find(request).piece;
  return piece ? piece->path : std::string();
}

void CfSource::refuse(const FieldRequest& request) const {
  throw Error(ErrorKind::data, place(), ": ", describe(request), " is not there");
}

void CfSource::read(const FieldRequest& request, const Region& region, float* out) {
  std::vector<float> stored(static_cast<size_t>(std::max<int64_t>(region.rows(), 0)) *
                            static_cast<size_t>(std::max<int64_t>(region.columns(), 0)));
  const Packing packing = read_stored(request, region, stored.data());
  unpack(level_, packing, stored.data(), region.rows() * region.columns(), out);
}

Packing CfSource::read_stored(const FieldRequest& request, const Region& region, void* out) {
  const Found found = find(request);
  if (!found.piece) refuse(request);
  try {
    return read_found(found, region, out);
  } catch (const Error& error) {
    throw Error(error.kind(), error.what(), "; wanted: ", describe(request));
  }
}

Packing CfSource::read_found(const Found& found, const Region& region, void* out) const {
  check_region(region);
  const FieldLayout& layout = found.piece->layout;
  const size_t rank = layout.variable.dimensions.size();
  std::vector<size_t> start(rank, 0), count(rank, 1);
  const auto select = [&](int position, int64_t first, int64_t length) {
    if (position < 0) return;
    start[static_cast<size_t>(position)] = static_cast<size_t>(first);
    count[static_cast<size_t>(position)] = static_cast<size_t>(length);
  };
  const auto position = [&](AxisRole role) { return layout.position[static_cast<size_t>(role)]; };
  select(layout.run_position, found.run, 1);
  select(layout.lead_position, found.lead, 1);
  select(position(AxisRole::member), found.member, 1);
  select(position(AxisRole::level), found.level, 1);
  select(position(AxisRole::y), region.row_begin, region.rows());
  select(position(AxisRole::x), region.column_begin, region.columns());
  const Packing& packing = found.piece->packing;
  const auto read_block = [&](void* block) {
    if (position(AxisRole::version) < 0)
      files_->read_stored(found.piece->path, layout.variable, start, count, block);
    else
      read_merged(*found.piece, start, count, static_cast<float*>(block));
  };
  if (position(AxisRole::y) < position(AxisRole::x)) {
    read_block(out);
    return packing;
  }
  const auto bytes = static_cast<size_t>(size_of(packing.type));
  const auto rows = static_cast<size_t>(region.rows()),
             columns = static_cast<size_t>(region.columns());
  std::vector<std::byte> transposed(rows * columns * bytes);
  read_block(transposed.data());
  for (size_t row = 0; row < rows; ++row)
    for (size_t column = 0; column < columns; ++column)
      std::memcpy(static_cast<std::byte*>(out) + (row * columns + column) * bytes,
                  transposed.data() + (column * rows + row) * bytes, bytes);
  return packing;
}

void CfSource::read_merged(const Piece& piece, std::vector<size_t> start,
                           const std::vector<size_t>& count, float* out) const {
  const CfVariable& variable = piece.layout.variable;
  const auto axis =
      static_cast<size_t>(piece.layout.position[static_cast<size_t>(AxisRole::version)]);
  std::vector<double> values(product(count));
  std::fill_n(out, values.size(), std::numeric_limits<float>::quiet_NaN());
  for (start[axis] = 0; start[axis] < variable.shape[axis]; ++start[axis]) {
    files_->read(piece.path, variable, start, count, values.data());
    for (size_t i = 0; i < values.size(); ++i)
      if (std::isnan(out[i])) out[i] = static_cast<float>(values[i]);
    if (std::none_of(out, out + values.size(), [](float value) { return std::isnan(value); }))
      break;
  }
}

std::string CfSource::fingerprint() const {
  return fingerprint_of_files(paths_);
}

std::string CfSource::content() const {
  return content_of_files(paths_);
}

}  // namespace py4cast
