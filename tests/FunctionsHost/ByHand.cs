using FuncScaler.FunctionsHost.Storage;

namespace FuncScaler.FunctionsHost;

/// <summary>The stand-in as a command.</summary>
internal static class ByHand
{
    /// <summary>Runs until it is asked to stop; without a storage account, on an emulator of its own.</summary>
    public static async Task<int> RunAsync(HostOptions options, CancellationToken cancellationToken)
    {
        try
        {
            if (options.Storage.Length > 0)
            {
                return await ServeAsync(options, null, cancellationToken);
            }

            await using var azurite = await Azurite.StartAsync(cancellationToken);
            await using var meter = await StorageMeter.StartAsync(azurite.Services, cancellationToken);
            return await ServeAsync(options with { Storage = meter.ConnectionString }, meter, cancellationToken);
        }
        catch (Exception e) when (e is IOException or InvalidOperationException or Workers.WorkerProcessExitException)
        {
            await Console.Error.WriteLineAsync($"functions-host: {e.Message}");
            return 1;
        }
    }

    private static async Task<int> ServeAsync(HostOptions options, StorageMeter? meter, CancellationToken cancellationToken)
    {
        await using var host = await StandIn.StartAsync(options with { Meter = meter }, cancellationToken);
        Console.WriteLine($"ready {host.Url} workers {string.Join(',', host.Workers.Ready.Select(w => w.ProcessId))}");
        try
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            await host.StopAsync();
        }

        return 0;
    }
}
