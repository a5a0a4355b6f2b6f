#!/usr/bin/env python3
"""The real-data trial without py4cast: samples, statistics, forcings, scores and baselines from the
file alone (numpy)."""

import json

import numpy as np
import xarray as xr

LEADS = (1, 2, 3, 4, 5, 6)
DAY = 24


class Data:
    """One variable on (time, row, column), hourly, with the split and the constants that training
    needs.

    A period is a slice of time indices. `standard` is (v - mean) / std; difference statistics are
    those of standard[t + 1] - standard[t] within the training period. Everything is computed in
    double precision, each field of the training period counts once, over the whole grid; deviations
    divide by the count.
    """

    def __init__(self, path, variable="t2m", border=4, days=((1, 21), (22, 25), (26, 31))):
        with xr.open_dataset(path) as file:
            self.times = file["time"].values
            self.latitude, self.longitude = (
                file[name].values.astype(np.float64) for name in ("latitude", "longitude")
            )
            self.values = file[variable].values.astype(np.float64)
        steps = np.diff(self.times)
        # Everything below counts in steps of one hour.
        if (steps != np.timedelta64(1, "h")).any() or np.isnan(self.values).any():
            raise SystemExit(f"{path}: {variable} must be hourly without gaps or missing values")
        self.variable, self.border = variable, border
        month = self.times[0].astype("datetime64[M]")
        self.train, self.valid, self.test = (self._period(month, *pair) for pair in days)
        seconds = (
            (self.times - self.times.astype("datetime64[D]"))
            .astype("timedelta64[s]")
            .astype(np.float64)
        )
        self.hours = (seconds // 3600).astype(int)
        self.hour_angle = seconds / 3600 / 12 * np.pi
        self.mean, self.std = self.values[self.train].mean(), self.values[self.train].std()
        self.standard = (self.values - self.mean) / self.std
        change = np.diff(self.standard[self.train], axis=0)
        self.change_mean, self.change_std = change.mean(), change.std()

    def _period(self, month, first, last):
        start = month.astype("datetime64[D]") + first - 1
        inside = np.flatnonzero((self.times >= start) & (self.times < start + last - first + 1))
        return slice(inside[0], inside[-1] + 1)

    def starts(self, period, inputs, steps):
        """Indices of the last input time (t0) of every window that lies wholly inside the
        period."""
        return np.arange(period.start + inputs - 1, period.stop - steps)

    @property
    def inner(self):
        b = self.border
        return np.s_[..., b : self.values.shape[1] - b, b : self.values.shape[2] - b]

    def border_mask(self):
        mask = np.ones(self.values.shape[1:])
        mask[self.inner] = 0
        return mask

    def statics(self):
        """x, y (degrees, each rescaled to [0, 1]), border mask: [3, rows, columns]."""

        def unit(v):
            return (v - v.min()) / (v.max() - v.min())

        y, x = np.meshgrid(unit(self.latitude), unit(self.longitude), indexing="ij")
        return np.stack([x, y, self.border_mask()])

    def time_forcings(self):
        """sin and cos of the hour angle, rescaled to [0, 1]: [times, 2]; a step uses the row of the
        time it predicts."""
        return np.stack([np.sin(self.hour_angle), np.cos(self.hour_angle)], axis=1) / 2 + 0.5

    def rmse(self, forecast, starts, lead, inner=True):
        """Root, taken last, of the squared error's mean over samples and points; physical units."""
        error = forecast - self.values[starts + lead]
        return float(np.sqrt((error[self.inner if inner else ...] ** 2).mean()))


def mean_by_hour(data):
    train = data.values[data.train]
    return np.stack([train[data.hours[data.train] == hour].mean(0) for hour in range(24)])


def hourly_regression(data, starts, lead):
    """v(t0 + lead) = a + b v(t0), least squares for each point, lead and hour of t0, pairs inside
    the training period."""
    fit = np.arange(data.train.start, data.train.stop - lead)
    forecast = np.empty((len(starts),) + data.values.shape[1:])
    for hour in range(24):
        pairs = fit[data.hours[fit] == hour]
        x, y = data.values[pairs], data.values[pairs + lead]
        mean_x, mean_y = x.mean(0), y.mean(0)
        spread = ((x - mean_x) ** 2).sum(0)
        slope = ((x - mean_x) * (y - mean_y)).sum(0) / np.where(spread > 0, spread, 1)
        here = data.hours[starts] == hour
        forecast[here] = mean_y + slope * (data.values[starts[here]] - mean_x)
    return forecast


def baselines(data, starts_of, leads=LEADS, inner=True):
    """{name: {lead: rmse}}; starts_of(lead) gives the samples."""
    diurnal = mean_by_hour(data)
    values, hours = data.values, data.hours

    def change(starts, lead):
        return values[starts] + diurnal[hours[starts + lead]] - diurnal[hours[starts]]

    forecasts = {
        "persistence": lambda starts, lead: values[starts],
        "day_before": lambda starts, lead: values[starts + lead - DAY],
        "diurnal_persistence": change,
        "hourly_regression": lambda starts, lead: hourly_regression(data, starts, lead),
    }
    return {
        name: {
            str(lead): data.rmse(forecast(starts_of(lead), lead), starts_of(lead), lead, inner)
            for lead in leads
        }
        for name, forecast in forecasts.items()
    }


def table(rows, leads=LEADS, unit="K"):
    """A text table of {name: {lead: value}}."""
    width = max(map(len, rows), default=0) + 2
    lines = [
        "RMSE [%s]" % unit
        + " " * max(0, width - 8)
        + "".join(f"{'+%d h' % lead:>8}" for lead in leads)
        + f"{'mean':>8}"
    ]
    width = max(width, 10)
    for name, row in rows.items():
        scores = [row[str(lead)] for lead in leads]
        lines.append(
            f"{name:<{width}}" + "".join(f"{v:8.3f}" for v in scores) + f"{np.mean(scores):8.3f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    import sys

    data = Data(sys.argv[1])
    inside = data.starts(data.test, 2, 6)
    print("interior, windows inside the test period")
    print(table(baselines(data, lambda lead: inside)))
    print("whole grid, every pair inside the test period")
    print(
        table(
            baselines(
                data, lambda lead: np.arange(data.test.start, data.test.stop - lead), inner=False
            )
        )
    )
    print(
        json.dumps(
            {k: float(getattr(data, k)) for k in ("mean", "std", "change_mean", "change_std")}
        )
    )
