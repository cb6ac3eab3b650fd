using System.Net;
using FuncScaler.Policies;
using FuncScaler.SlotBackends.Settings;
using Microsoft.Extensions.Options;

namespace FuncScaler.ScalerFunctions.Hosting;

/// <summary>Finds wrong settings at the start, with a sentence on how to mend each.</summary>
internal sealed class ScalerAppOptionsValidator : IValidateOptions<ScalerAppOptions>
{
    public ValidateOptionsResult Validate(string? name, ScalerAppOptions options)
    {
        var failures = new List<string>();
        AppBackend.Validate(options, failures);
        try
        {
            PolicyCatalog.Parse(options.Policy);
        }
        catch (FormatException e)
        {
            failures.Add($"Scaler:Policy: {e.Message}");
        }

        if (!Uri.TryCreate(options.HostUrl, UriKind.Absolute, out var host) || host.Scheme is not ("http" or "https"))
        {
            failures.Add($"Scaler:HostUrl '{options.HostUrl}' is no address: write where the Functions host listens, for example http://127.0.0.1:7071.");
        }

        ValidateLeasing(options, failures);
        ValidatePurge(options, failures);
        if (options.Grpc.Port is { } port)
        {
            ValidateGrpc(options.Grpc, port, failures);
        }

        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }

    private static void ValidateLeasing(ScalerAppOptions options, List<string> failures)
    {
        Check(options.LeaseSeconds is >= 1 and <= 3600, $"Scaler:LeaseSeconds {options.LeaseSeconds} is out of range: 1 to 3600.");
        Check(options.ReportSeconds is >= 0.05 and <= 60, $"Scaler:ReportSeconds {options.ReportSeconds} is out of range: 0.05 to 60.");
        Check(options.ParkSeconds is >= 0 and <= 86_400, $"Scaler:ParkSeconds {options.ParkSeconds} is out of range: 0 to 86400.");
        Check(
            options.LatencyPrice is null or (> 0 and <= 1e6),
            $"Scaler:LatencyPrice {options.LatencyPrice} is not a price: give GBs per second of waiting, more than 0 and up to 1000000, or leave it out.");
        Check(options.MaxSlotsPerFunction >= 0, $"Scaler:MaxSlotsPerFunction {options.MaxSlotsPerFunction} is negative: 0 means no limit.");
        Check(options.CreateBurst >= 1, $"Scaler:CreateBurst {options.CreateBurst} lets no slot be created ahead: at least 1.");
        Check(options.CreatesPerMinute > 0, $"Scaler:CreatesPerMinute {options.CreatesPerMinute} lets no slot be created ahead: more than 0.");
        Check(
            options.DrainTimeout >= TimeSpan.Zero && options.DrainTimeout <= TimeSpan.FromMinutes(10),
            $"Scaler:DrainTimeout {options.DrainTimeout} is out of range: 00:00:00 to 00:10:00.");
        try
        {
            options.ToLeasing(new BackendLimits()).Validate();
        }
        catch (ArgumentException e)
        {
            failures.Add($"Scaler:LeaseSeconds and Scaler:ReportSeconds do not go together: {e.Message}");
        }

        void Check(bool right, string failure)
        {
            if (!right)
            {
                failures.Add(failure);
            }
        }
    }

    private static void ValidatePurge(ScalerAppOptions options, List<string> failures)
    {
        if (options.HistoryKept < TimeSpan.FromMinutes(30) || options.HistoryKept > TimeSpan.FromDays(90))
        {
            failures.Add($"Scaler:HistoryKept {options.HistoryKept} is out of range: 00:30:00 to 90.00:00:00 (days.hours:minutes:seconds).");
        }

        if (options.MaxPurgesPerRun is < 1 or > 100_000)
        {
            failures.Add($"Scaler:MaxPurgesPerRun {options.MaxPurgesPerRun} is out of range: 1 to 100000.");
        }
    }

    private static void ValidateGrpc(GrpcPortOptions grpc, int port, List<string> failures)
    {
        if (port is < 0 or > IPEndPoint.MaxPort)
        {
            failures.Add($"Scaler:Grpc:Port {port} is no port: write 1 to 65535, 0 for any free one, or leave it out for no native gRPC.");
        }

        if (!IPAddress.TryParse(grpc.Address, out var address))
        {
            failures.Add($"Scaler:Grpc:Address '{grpc.Address}' is no IP address: write 127.0.0.1, or 0.0.0.0 for all.");
        }
        else if (!IPAddress.IsLoopback(address) && string.IsNullOrEmpty(grpc.Key) && !grpc.AllowAnonymous)
        {
            failures.Add(
                $"Scaler:Grpc:Address {address} can be reached from outside, and anybody could take instances: set Scaler:Grpc:Key to what callers "
                + "send as x-functions-key, or Scaler:Grpc:AllowAnonymous to true where something in front asks callers who they are.");
        }
    }
}
