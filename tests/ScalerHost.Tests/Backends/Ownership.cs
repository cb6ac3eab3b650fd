using System.Collections.Concurrent;
using System.Diagnostics;

namespace FuncScaler.Tests.Backends;

/// <summary>Who holds which instance, as callers see it; finds any that two hold.</summary>
internal sealed class Ownership
{
    private readonly ConcurrentDictionary<string, string> _held = new();
    private readonly ConcurrentDictionary<string, long> _orphaned = new();
    private int _grants;

    public ConcurrentQueue<string> Violations { get; } = new();

    public int Grants => _grants;

    /// <summary>The functions' time-out: for so long a request may go on in an instance after its scaler has died.</summary>
    public static TimeSpan Timeout { get; } = TimeSpan.FromSeconds(1);

    /// <summary>Waits for so many more grants, or for so long.</summary>
    public async Task GrantedAsync(int more, TimeSpan atMost)
    {
        var start = Stopwatch.GetTimestamp();
        for (var target = _grants + more; _grants < target && Stopwatch.GetElapsedTime(start) < atMost;)
        {
            await Task.Delay(1);
        }
    }

    public void Granted(string address, string request)
    {
        Interlocked.Increment(ref _grants);
        if (_held.TryGetValue(address, out var other) && other != request)
        {
            Violations.Enqueue($"{address} was given to {request} while {other} held it");
        }

        if (_orphaned.TryGetValue(address, out var since) && Stopwatch.GetElapsedTime(since) < Timeout)
        {
            Violations.Enqueue($"{address} was given to {request} {Stopwatch.GetElapsedTime(since)} after the scaler died that had given it away");
        }

        _held[address] = request;
    }

    public void Released(string address) => _held.TryRemove(address, out _);

    /// <summary>The scaler is gone; what was held goes on for its time-out, unknown to the next one.</summary>
    public void ScalerDied()
    {
        foreach (var address in _held.Keys)
        {
            _orphaned[address] = Stopwatch.GetTimestamp();
        }

        _held.Clear();
    }
}
