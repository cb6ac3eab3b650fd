namespace FuncScaler.Tests;

/// <summary>Waits for what other threads or processes are about to do.</summary>
public static class Eventually
{
    /// <summary>Returns once the condition holds; throws <see cref="OperationCanceledException"/> after two minutes, as a machine may be busy.</summary>
    public static async Task HoldsAsync(Func<bool> condition)
    {
        ArgumentNullException.ThrowIfNull(condition);
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (!condition())
        {
            await Task.Delay(1, limit.Token);
        }
    }

    /// <inheritdoc cref="HoldsAsync(Func{bool})"/>
    public static async Task HoldsAsync(Func<Task<bool>> condition)
    {
        ArgumentNullException.ThrowIfNull(condition);
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (!await condition())
        {
            await Task.Delay(1, limit.Token);
        }
    }
}
