using FuncScaler.Benchmarks;

// decisions cost [POLICY...]: what Assign and Release cost in the core, the first policy against the others.
// decisions state [POLICY...]: what is kept of each function after hours of the preset faas.
switch (args)
{
    case ["cost", ..]:
        DecisionCost.Print(args.Length > 1 ? args[1..] : ["adaptive", "ttl:20"]);
        return 0;
    case ["state", ..]:
        FunctionState.Print(args.Length > 1 ? args[1..] : ["adaptive", "ttl:20"]);
        return 0;
    default:
        Console.Error.WriteLine("usage: decisions cost|state [POLICY...]");
        return 64;
}
