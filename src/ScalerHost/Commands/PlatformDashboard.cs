using FuncScaler.ContestSimulator.Platform;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Dashboard;
using FuncScaler.Runtime.Execution;
using Microsoft.Extensions.DependencyInjection;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>The dashboard of a contest's platform: what any scaler does, as the platform's own books have it.</summary>
internal sealed class PlatformDashboard : IDashboardSource
{
    private readonly ContestPlatformServer _server;
    private readonly SchedulingTimes _times;

    private PlatformDashboard(ContestPlatformServer server, SchedulingTimes times) => (_server, _times) = (server, times);

    public string? PolicyName => null;

    public bool MeasuresScheduling
    {
        get => _times.On;
        set => _times.On = value;
    }

    /// <summary>A platform with a dashboard at <c>/</c> of its control port, for browsers.</summary>
    public static ContestPlatformServer AddTo(ContestPlatformOptions options)
    {
        var times = new SchedulingTimes();
        var server = new ContestPlatformServer(options with { AssignAnswered = times.Add });
        server.Page = new ControlPage(
            services => services.AddSingleton<IDashboardSource>(new PlatformDashboard(server, times)).AddDashboard(),
            endpoints => endpoints.MapDashboard(platform: true));
        return server;
    }

    public DashboardTotals Read(FunctionReader function)
    {
        ArgumentNullException.ThrowIfNull(function);
        var reading = _server.Read();
        var waiting = 0;
        foreach (var f in reading.Functions)
        {
            waiting += f.Waiting;
            function(new FunctionReading(
                f.Key.Length == 0 ? "(not initialised)" : f.Key,
                "",
                f.MemoryMb,
                f.Arrivals,
                f.Busy,
                f.Idle,
                f.InFlight,
                f.Waiting,
                f.MeanDurationMs,
                f.MeanColdStartMs,
                null));
        }

        var (report, score) = (reading.Report, reading.Report?.Score ?? default);
        var measured = report?.Measured ?? new RunMeasurements();
        return new DashboardTotals(
            reading.AtSeconds,
            report is null ? "contest platform, no run yet" : $"contest platform, run {report.Id}{(report.EndTime is null ? "" : ", which has ended")}",
            new RequestStats(
                report?.Sent ?? 0, measured.WarmRequests, measured.WaitedForBusy, measured.ColdStarts, score.FailedRequests, score.Requests, 0, waiting),
            new CallStats(measured.SlotsOfRun, reading.DestroyedSlots, report?.Misuses.Sum(m => m.Count) ?? 0, 0),
            null,
            new ScoreStats(score.Total, score.ResourceScore, score.LatencyScore, score.ExecutionGbSeconds, score.SlotGbSeconds),
            null,
            null,
            _times.Copy())
        {
            Misuses = [.. report?.Misuses.Select(m => $"{m.Kind}, {m.Count} times, first: {m.FirstExample}") ?? []],
        };
    }
}
