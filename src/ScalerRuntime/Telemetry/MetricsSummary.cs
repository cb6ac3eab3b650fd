using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Runtime.Telemetry;

/// <summary>
/// Logs the metrics every minute as one line of JSON, <c>funcscaler.summary {"funcscaler.assigns.warm":12,…}</c>: counters by what they have
/// grown since the last line, the others as they are. Log-based alerts (infra/bicep/modules/alerts.bicep) need nothing else, no exporter
/// and no package, wherever the process's log ends up. The histogram is left out.
/// </summary>
public sealed partial class MetricsSummary : IDisposable
{
    /// <summary>Begins each line.</summary>
    public const string Prefix = "funcscaler.summary";

    private readonly Lock _gate = new();
    private readonly ILogger _logger;
    private readonly MeterListener _listener = new();
    private readonly ITimer _timer;
    private readonly SortedDictionary<string, double> _read = [];
    private readonly Dictionary<string, double> _before = [];
    private readonly HashSet<string> _totals = [];
    private readonly SortedDictionary<string, double> _counted = [];

    /// <param name="logger">Where the lines go, at level Information.</param>
    /// <param name="time">The clock.</param>
    public MetricsSummary(ILogger<MetricsSummary> logger, TimeProvider time)
    {
        _logger = logger;
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == ScalerTelemetry.Name && instrument is not Histogram<double>)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Take(instrument, value, tags));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Take(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Take(instrument, value, tags));
        _listener.Start();
        var minute = TimeSpan.FromMinutes(1);
        _timer = time.CreateTimer(static state => ((MetricsSummary)state!).Write(), this, minute, minute);
    }

    /// <summary>Logs a line now.</summary>
    public void Write()
    {
        if (!_logger.IsEnabled(LogLevel.Information))
        {
            return;
        }

        lock (_gate)
        {
            _read.Clear();
            _listener.RecordObservableInstruments();
            var line = new SortedDictionary<string, double>(_counted, StringComparer.Ordinal);
            foreach (var (name, value) in _read)
            {
                line[name] = _totals.Contains(name) ? value - _before.GetValueOrDefault(name) : value;
                _before[name] = value;
            }

            _counted.Clear();
            LogSummary(JsonSerializer.Serialize(line.ToDictionary(l => l.Key, l => Math.Round(l.Value, 6))));
        }
    }

    public void Dispose()
    {
        _timer.Dispose();
        _listener.Dispose();
    }

    private void Take(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var name = instrument.Name;
        foreach (var (_, tag) in tags)
        {
            name += "." + Convert.ToString(tag, CultureInfo.InvariantCulture);
        }

        lock (_gate)
        {
            if (!instrument.IsObservable)
            {
                _counted[name] = _counted.GetValueOrDefault(name) + value;
                return;
            }

            if (instrument.GetType().GetGenericTypeDefinition() == typeof(ObservableCounter<>))
            {
                _totals.Add(name);
            }

            _read[name] = _read.GetValueOrDefault(name) + value;
        }
    }

    [LoggerMessage(130, LogLevel.Information, Prefix + " {Metrics}")]
    private partial void LogSummary(string metrics);
}
