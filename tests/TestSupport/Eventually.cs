namespace FuncScaler.Tests;

/// <summary>Waits for what other threads or processes are about to do.</summary>
public static class Eventually
{
    /// <summary>Long, for machines with much else to do: who waits in vain waits once.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    /// <summary>Returns once the condition holds; throws <see cref="OperationCanceledException"/> after two minutes.</summary>
    public static Task HoldsAsync(Func<bool> condition)
    {
        ArgumentNullException.ThrowIfNull(condition);
        return HoldsAsync(() => Task.FromResult(condition()));
    }

    /// <inheritdoc cref="HoldsAsync(Func{bool})"/>
    public static async Task HoldsAsync(Func<Task<bool>> condition)
    {
        ArgumentNullException.ThrowIfNull(condition);
        using var limit = new CancellationTokenSource(Limit);
        for (var looks = 0; !await condition(); looks++)
        {
            await Task.Delay(Pause(looks), limit.Token);
        }
    }

    /// <summary>Ever longer, up to 20 ms: what takes long would only be held up by being looked at.</summary>
    private static int Pause(int looks) => Math.Clamp(looks / 10, 1, 20);
}
