using System.Diagnostics;

namespace FuncScaler.Tests;

/// <summary>Waits for what other processes do.</summary>
internal static class Waiting
{
    /// <summary>Returns once the condition holds; fails with what was waited for, and how things stand, when it does not within the limit.</summary>
    public static async Task UntilAsync(string what, TimeSpan limit, Func<Task<bool>> holds, Func<string>? standing = null)
    {
        var began = Stopwatch.GetTimestamp();
        while (!await holds())
        {
            if (Stopwatch.GetElapsedTime(began) > limit)
            {
                Assert.Fail($"Within {limit.TotalSeconds} s it did not happen that {what}. {standing?.Invoke()}");
            }

            await Task.Delay(50);
        }
    }

    public static Task UntilAsync(string what, TimeSpan limit, Func<bool> holds, Func<string>? standing = null) =>
        UntilAsync(what, limit, () => Task.FromResult(holds()), standing);
}
