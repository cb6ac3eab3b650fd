using System.Net;
using FuncScaler.Policies;
using FuncScaler.Runtime.Limits;
using FuncScaler.SlotBackends.Settings;
using Microsoft.Extensions.Options;

namespace FuncScaler.ScalerFunctions.Hosting;

/// <summary>Finds wrong settings at the start, with a sentence on how to mend each.</summary>
internal sealed class ScalerAppOptionsValidator : IValidateOptions<ScalerAppOptions>
{
    private const int MostSlots = 1_000_000;

    public ValidateOptionsResult Validate(string? name, ScalerAppOptions options)
    {
        var errors = new SettingErrors();
        AppBackend.Validate(options, errors);
        try
        {
            if (PolicyCatalog.Parse(options.Policy).Objective is not null)
            {
                // Each function has a ledger of its own, and no ledger sees what the others take.
                errors.Add($"Scaler:Policy: '{options.Policy}' has an objective over all functions, which the app cannot keep: give a price with Scaler:LatencyPrice, or use serve.");
            }
        }
        catch (FormatException e)
        {
            errors.Add($"Scaler:Policy: {e.Message}");
        }

        errors.Require(
            Uri.TryCreate(options.HostUrl, UriKind.Absolute, out var host) && host.Scheme is "http" or "https",
            "Scaler:HostUrl",
            options.HostUrl,
            "is no address",
            "write where the Functions host listens, for example http://127.0.0.1:7071");
        CheckLeasing(options, errors);
        errors.Range("Scaler:HistoryKept", options.HistoryKept, TimeSpan.FromMinutes(30), TimeSpan.FromDays(90));
        errors.Range("Scaler:MaxPurgesPerRun", options.MaxPurgesPerRun, 1, 100_000);
        errors.Range("Scaler:MaxProvisioned", options.MaxProvisioned, 0, 1000);
        if (options.OperatorKeySha256.Length > 0 && !(options.OperatorKeySha256.Length == 64 && options.OperatorKeySha256.All(char.IsAsciiHexDigit)))
        {
            // What stands there may be the key itself: it is not repeated.
            errors.Add("Scaler:OperatorKeySha256 is no SHA-256: give the 64 hexadecimal digits that 'funcscaler token' prints, and not the key.");
        }

        CheckLimits(options, errors);
        if (options.Grpc.Port is { } port)
        {
            CheckGrpc(options.Grpc, port, errors);
        }

        return errors.Sentences.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors.Sentences);
    }

    private static void CheckLeasing(ScalerAppOptions options, SettingErrors errors)
    {
        errors.Range("Scaler:LeaseSeconds", options.LeaseSeconds, 1, 3600);
        errors.Range("Scaler:ReportSeconds", options.ReportSeconds, 0.05, 60);
        errors.Range("Scaler:ParkSeconds", options.ParkSeconds, 0, 86_400);
        errors.Range("Scaler:HoldAheadSeconds", options.HoldAheadSeconds, 0, 86_400);
        errors.Require(
            string.IsNullOrWhiteSpace(options.LatencyPrice) || WaitingPrice.TryParse(options.LatencyPrice, out _),
            "Scaler:LatencyPrice",
            options.LatencyPrice,
            "is no price",
            "give auto, or 0 to 1000000000 GB·s per second of waiting");
        errors.Require(
            ScalerAppOptions.ReadPrices(options.LatencyPrices) is not null,
            "Scaler:LatencyPrices",
            options.LatencyPrices,
            "is no JSON object of prices",
            "write for example {\"checkout\": 500, \"report\": \"auto\"}");
        errors.Require(
            options.MaxSlotsPerFunction is >= 0 and <= MostSlots,
            "Scaler:MaxSlotsPerFunction",
            options.MaxSlotsPerFunction,
            "is out of range",
            $"give 1 to {MostSlots}, or 0, which means no limit");
        errors.Range("Scaler:CreateBurst", options.CreateBurst, 1, MostSlots);
        errors.Range("Scaler:CreatesPerMinute", options.CreatesPerMinute, 0.001, MostSlots);
        errors.Range("Scaler:DrainTimeout", options.DrainTimeout, TimeSpan.Zero, TimeSpan.FromMinutes(10));
        if (errors.Sentences.Count > 0)
        {
            return;
        }

        try
        {
            options.ToLeasing(new BackendLimits()).Validate();
        }
        catch (ArgumentException e)
        {
            errors.Add($"Scaler:LeaseSeconds and Scaler:ReportSeconds do not go together: {e.Message}");
        }
    }

    private static void CheckLimits(ScalerAppOptions options, SettingErrors errors)
    {
        var (text, file) = (!string.IsNullOrWhiteSpace(options.Limits), options.LimitsFile.Length > 0);
        if (text && file)
        {
            errors.Add("Scaler:Limits and Scaler:LimitsFile are both set: leave one of them out.");
            return;
        }

        try
        {
            _ = text ? LimitsPlan.Read(options.Limits) : file ? LimitsWatch.Read(options.LimitsFile) : LimitsPlan.None;
        }
        catch (BackendSettingsException e)
        {
            foreach (var sentence in e.Errors)
            {
                errors.Add($"{(text ? "Scaler:Limits" : $"Scaler:LimitsFile {options.LimitsFile}")}: {sentence}");
            }
        }
    }

    private static void CheckGrpc(GrpcPortOptions grpc, int port, SettingErrors errors)
    {
        errors.Require(port is >= 0 and <= IPEndPoint.MaxPort, "Scaler:Grpc:Port", port, "is no port", "write 1 to 65535, 0 for any free one, or leave it out for no native gRPC");
        var isAddress = IPAddress.TryParse(grpc.Address, out var address);
        errors.Require(isAddress, "Scaler:Grpc:Address", grpc.Address, "is no IP address", "write 127.0.0.1, or 0.0.0.0 for all");
        if (grpc.Key is { Length: > 0 and < GrpcPortOptions.ShortestKey } key)
        {
            errors.Add($"Scaler:Grpc:Key has {key.Length} characters and could be guessed: give at least {GrpcPortOptions.ShortestKey}, for example the token that 'funcscaler token' prints.");
        }

        errors.Require(
            !isAddress || IPAddress.IsLoopback(address!) || grpc.AsksCallers || grpc.AllowAnonymous,
            "Scaler:Grpc:Address",
            grpc.Address,
            "can be reached from outside, and anybody could take instances",
            "set Scaler:Grpc:Key to what callers send as x-functions-key, or Scaler:Grpc:AllowAnonymous to true where something in front asks callers who they are");
        errors.Require(
            !isAddress || IPAddress.IsLoopback(address!) || grpc.Tls is not null || grpc.TlsInFront,
            "Scaler:Grpc:Address",
            grpc.Address,
            "can be reached from outside, and keys would cross the network in clear",
            "set Scaler:Grpc:Tls:Certificate and Scaler:Grpc:Tls:Key to files, or Scaler:Grpc:TlsInFront to true where something in front speaks TLS or the port stays inside the environment");
        if (grpc.Tls is not { } tls)
        {
            return;
        }

        var found = errors.Sentences.Count;
        tls.Check(errors, GrpcPortOptions.TlsName);
        try
        {
            _ = errors.Sentences.Count > found ? default : grpc.ReadTls();
        }
        catch (BackendSettingsException e)
        {
            errors.AddRange(e.Errors);
        }
    }
}
