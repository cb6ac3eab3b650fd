using System.CommandLine;
using System.Globalization;
using System.Net;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Policies;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>Options that several commands share, so that they read and mean the same everywhere.</summary>
internal static class CommonOptions
{
    public static Option<string> Policy() => new("--policy")
    {
        Description = "How instances are kept: " + string.Join("; ", PolicyCatalog.All.Select(p => $"{p.Usage}, {p.Summary}")),
        HelpName = "P",
        DefaultValueFactory = _ => PolicyCatalog.Default,
    };

    public static Option<string> LatencyPrice(string otherwise) => new("--latency-price")
    {
        Description = "What one second of a caller's waiting is worth, GBs of memory time, to policies that weigh the two; auto: as the contest's score weighs them" + otherwise,
        HelpName = "auto|X",
        DefaultValueFactory = _ => "auto",
    };

    /// <returns>Null for auto.</returns>
    /// <exception cref="CommandException">It is no price.</exception>
    public static double? ParseLatencyPrice(string text) =>
        text == "auto" ? null
        : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var price) && price is >= 0 and <= 1e9 ? price
        : throw new CommandException(
            CommandException.BadUsage, $"--latency-price '{text}' is neither auto nor a price: give 0 or more GBs per second of waiting.");

    public static Option<int> Port(string name, string description, int otherwise)
    {
        var option = new Option<int>(name) { Description = description, HelpName = "N", DefaultValueFactory = _ => otherwise };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && result.GetValue(option) is < 0 or > 65535)
            {
                result.AddError($"{name} is a port: give a number from 0 (any free one) to 65535.");
            }
        });
        return option;
    }

    public static Option<string> Listen() => new("--listen")
    {
        Description = "The IP address to listen on; neither port asks who calls",
        HelpName = "IP",
        DefaultValueFactory = _ => "127.0.0.1",
    };

    /// <exception cref="CommandException">It is no IP address.</exception>
    public static IPAddress ParseListen(string text) => IPAddress.TryParse(text, out var address)
        ? address
        : throw new CommandException(CommandException.BadUsage, $"--listen '{text}' is no IP address: write for example 127.0.0.1 or 0.0.0.0.");

    public static Option<double?> Seconds(string name, string description)
    {
        var option = new Option<double?>(name) { Description = description, HelpName = "S" };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && result.GetValue(option) is not >= 0 and not <= 1e9)
            {
                result.AddError($"{name} is a number of seconds: give 0 or more.");
            }
        });
        return option;
    }

    public static Option<double> RpcMs() => new("--rpc-ms")
    {
        Description = "What callers wait for the wire and the scaler per request, Assign and Idle together, ms",
        HelpName = "MS",
        DefaultValueFactory = _ => 0.3,
    };

    /// <summary>The cost model with what <see cref="RpcMs"/> says.</summary>
    /// <exception cref="CommandException">It is no such number.</exception>
    public static VirtualOptions ReadRpcMs(ParseResult parsed, Option<double> option, VirtualOptions options)
    {
        var ms = parsed.GetValue(option);
        if (ms is not (>= 0 and <= 1e6))
        {
            throw new CommandException(CommandException.BadUsage, $"{option.Name} is a number of milliseconds: give 0 or more.");
        }

        var assignUs = (long)(ms * 1000 * 2 / 3);
        return options with { AssignRpcUs = assignUs, IdleRpcUs = (long)(ms * 1000) - assignUs };
    }

    /// <exception cref="CommandException">There is no such policy.</exception>
    public static PolicyChoice ParsePolicy(string text)
    {
        try
        {
            return PolicyCatalog.Parse(text);
        }
        catch (FormatException e)
        {
            throw new CommandException(CommandException.BadUsage, e.Message, e);
        }
    }

    /// <summary>Reads "host:port" or an http(s) address.</summary>
    /// <exception cref="CommandException">It is neither.</exception>
    public static Uri ParseAddress(string option, string text)
    {
        var full = text.Contains("://", StringComparison.Ordinal) ? text : "http://" + text;
        return Uri.TryCreate(full, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.Host.Length > 0
            ? uri!
            : throw new CommandException(CommandException.BadUsage, $"{option} '{text}' is no address: write host:port, for example 127.0.0.1:50051.");
    }
}
