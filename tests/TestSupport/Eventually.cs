namespace FuncScaler.Tests;

/// <summary>Waits for what other threads or processes are about to do.</summary>
public static class Eventually
{
    /// <summary>Returns once the condition holds; throws <see cref="OperationCanceledException"/> after 30 s.</summary>
    public static async Task HoldsAsync(Func<bool> condition)
    {
        ArgumentNullException.ThrowIfNull(condition);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!condition())
        {
            await Task.Delay(1, limit.Token);
        }
    }

    /// <inheritdoc cref="HoldsAsync(Func{bool})"/>
    public static async Task HoldsAsync(Func<Task<bool>> condition)
    {
        ArgumentNullException.ThrowIfNull(condition);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!await condition())
        {
            await Task.Delay(1, limit.Token);
        }
    }
}
