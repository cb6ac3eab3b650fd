using System.Text.Json;
using FuncScaler.FunctionsHost.Protocol;
using FuncScaler.FunctionsHost.Workers;
using NCrontab;

namespace FuncScaler.FunctionsHost;

/// <summary>Fires timer triggers by their schedules.</summary>
internal sealed class TimerTriggers : IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _running;

    public TimerTriggers(AppFolder app, FunctionInvoker invoker, Action<string> log) => _running = Task.WhenAll(
        app.Functions.Where(f => f.TriggerType == "timerTrigger").Select(f => RunAsync(f, invoker, log, _stopping.Token)));

    /// <summary>Runs a timer's function once.</summary>
    public static Task FireAsync(AppFunction function, FunctionInvoker invoker, CancellationToken cancellationToken)
    {
        var now = DateTime.UtcNow;
        var timer = new { Schedule = new { AdjustForDST = true }, ScheduleStatus = new { Last = now, Next = now, LastUpdated = now }, IsPastDue = false };
        return invoker.InvokeAsync(function, new TypedData { Json = JsonSerializer.Serialize(timer) }, cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _running;
        _stopping.Dispose();
    }

    private static async Task RunAsync(AppFunction function, FunctionInvoker invoker, Action<string> log, CancellationToken stopping)
    {
        var schedule = CrontabSchedule.Parse((string)function.Trigger["schedule"]!, new CrontabSchedule.ParseOptions { IncludingSeconds = true });
        try
        {
            for (var last = DateTime.UtcNow; ; last = DateTime.UtcNow)
            {
                await Task.Delay(schedule.GetNextOccurrence(last) - last, stopping);
                try
                {
                    await FireAsync(function, invoker, stopping);
                }
                catch (Exception e) when (e is FunctionFailedException or WorkerProcessExitException)
                {
                    log($"host: {function.Name}: {e.Message}");
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The host stops.
        }
    }
}
